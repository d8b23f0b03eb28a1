"""Dense algebra for small models."""
