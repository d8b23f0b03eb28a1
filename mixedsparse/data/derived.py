"""Designs made from another: with other columns of X, or with other random effects, of the same observations.

Where the observations stay elsewhere, the change is made to the rows that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.problem.terms import RandomTerm

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["constant_only", "terms_with_rows", "with_columns", "with_terms"]


def with_columns(design: Design, columns: np.ndarray, names: tuple[str, ...]) -> Design:
    """Return `design` with X `columns`, (P, r), in place of X; it has no formula any more."""
    X = _columns(design) @ columns
    return _with(replace(design, x_names=names, encoding=None, source=None), X)


def constant_only(design: Design) -> Design:
    """Return `design` with an intercept in place of X; it has no formula any more."""
    changed = replace(design, x_names=("Intercept",), x_terms={"1": slice(0, 1)}, encoding=None, source=None)
    return _with(changed, np.ones((len(_columns(design)), 1)))


def _columns(design: Design) -> np.ndarray:
    return design.X if design.patterns is None else design.patterns.X


def _with(design: Design, X: np.ndarray) -> Design:
    if design.patterns is None:
        return replace(design, X=X)
    return replace(design, patterns=replace(design.patterns, X=X))


def terms_with_rows(design: Design) -> Sequence[RandomTerm]:
    """Random-effects terms in the order of the formula, with the rows that there are."""
    return design.terms if design.patterns is None else design.patterns.terms


def with_terms(design: Design, terms: Sequence[RandomTerm]) -> Design:
    """Return `design` with other random-effects terms; it has no formula any more."""
    changed = replace(design, encoding=None, source=None)
    if design.patterns is None:
        return replace(changed, terms=tuple(terms))
    absent = tuple(RandomTerm.without_rows(term.group, term.columns, term.levels) for term in terms)
    return replace(changed, terms=absent, patterns=replace(design.patterns, terms=tuple(terms)))
