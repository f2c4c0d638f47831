"""Not read: only looked for."""
