"""Compiled loops, alone in importing numba; they are imported where they are called: small models go without."""
