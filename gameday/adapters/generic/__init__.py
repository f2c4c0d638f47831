"""Faults that somebody else's program, service or function puts in: `command`, `http`, `python`."""
