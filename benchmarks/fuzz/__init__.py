"""Random models, bad inputs, damaged files, threads and faults: behind ``python -m benchmarks.fuzz``."""
