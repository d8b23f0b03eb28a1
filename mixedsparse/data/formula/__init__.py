"""Formulas and data frames to arrays: `make_design` is the door."""

from mixedsparse.data.formula.design import Design, make_design
from mixedsparse.data.formula.newdata import NewMatrices, NewTerm

__all__ = ["Design", "NewMatrices", "NewTerm", "make_design"]
