"""What is known across runs: findings, and what becomes of them. Pure; stores are adapters."""
