"""Two commits beside each other: behind ``benchmarks/compare.py``."""
