"""Faults on this host: processes, certificates of test endpoints, and the clock of a process."""
