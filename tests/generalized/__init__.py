"""Generalized models as users call them."""
