"""The web page for the day of a GameDay: a process of its own that follows journals."""
