"""What is wrong with a runbook: pure rules over what was read."""
