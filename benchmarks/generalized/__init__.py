"""Generalized mixed models against other programs: ``python -m benchmarks.generalized``."""
