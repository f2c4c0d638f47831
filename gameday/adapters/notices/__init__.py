"""Notices by Apprise: `python -m gameday.adapters.notices` sends what it is given, and ends."""
