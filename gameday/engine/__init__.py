"""Playing a plan: pure decisions, and the threads that carry them out."""
