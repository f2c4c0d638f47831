"""The sample shop: real processes, a real database and cache, real metrics, each behind a proxy."""
