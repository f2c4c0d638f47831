"""Network faults by Toxiproxy: injected atomically, taken out by replacing the proxy, read back."""
