"""Data larger than memory, and factors too large to make: behind ``python -m benchmarks.beyond``."""
