"""gameday: break things on purpose, and see whether alerts and runbooks caught it."""

__version__ = "0.1.0"
