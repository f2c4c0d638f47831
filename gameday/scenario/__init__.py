"""Scenario and project files: read, checked with file, line and column, and made into a plan."""
