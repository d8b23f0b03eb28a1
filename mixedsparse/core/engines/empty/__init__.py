"""The engine of a model without random effects."""
