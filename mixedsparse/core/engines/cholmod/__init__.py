"""CHOLMOD on the whole sparse system."""
