"""The evidence of one run: what belongs to it, whether it is whole, and what it supports."""
