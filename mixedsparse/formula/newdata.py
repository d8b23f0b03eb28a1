"""New data in the encoding of a fit."""
