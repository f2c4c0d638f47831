"""Containers of a Docker engine: faults put into them, taken out again, and read back."""
