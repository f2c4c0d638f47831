"""The outside world: everything that breaks, loads, watches or notifies, one module each."""
