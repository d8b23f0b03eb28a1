"""A model as arrays and its fit: what statistics are made of."""
