"""Benchmarks of whole fits against other programs; see README.md beside this file."""
