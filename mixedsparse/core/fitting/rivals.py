"""Columns of random effects without a correlation that are nearly the same: either may stand for the other."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mixedsparse.core.problem.problem import Problem

__all__ = ["has_rivals"]

# Cosine of the angle between two columns from which on they are rivals: 1 and x have it where the mean of x is twice
# its standard deviation.
_ALIKE = 0.89


def has_rivals(problem: Problem) -> bool:
    """Whether columns of two terms of one grouping factor, or of a structured one, lie within a small angle.

    ``(1 | g) + (0 + x | g)`` with x far from 0 says that lines cross at x = 0. Where they do not, the likelihood has an
    optimum with large variances, which cancel within the data, and one or two with small ones, as if one of the terms
    were not there: any search finds the nearest (so do the optimisers of lme4).
    """
    layout, terms = problem.layout, problem.terms
    for b, grams in enumerate(problem.grams):
        own = [t for t, block in enumerate(layout.term_block) if block == b]
        structured = [t for t in own if terms[t].structure is not None]
        if len(own) < 2 and not structured:
            continue
        total = np.asarray(grams).sum(axis=0)
        places = {t: slice(layout.term_start[t], layout.term_start[t] + terms[t].k) for t in own}
        pairs = [_angles(total, places[s], places[t]) for s, t in combinations(own, 2)]
        within = [_within(total[places[t], places[t]], layout.whiten[t]) for t in structured]
        if max([*pairs, *within]) > _ALIKE:
            return True
    return False


def _angles(total: np.ndarray, one: slice, other: slice) -> float:
    """Largest cosine between columns of two terms, whose whitened columns are orthogonal to each other."""
    scale = np.sqrt(np.maximum(total.diagonal(), np.finfo(float).tiny))
    return float(np.linalg.norm((total / np.outer(scale, scale))[one, other], 2))


def _within(gram: np.ndarray, whiten: np.ndarray) -> float:
    """Largest cosine between columns of the user's basis of one term, from the products of the whitened ones."""
    users = whiten.T @ gram @ whiten
    scale = np.sqrt(np.maximum(users.diagonal(), np.finfo(float).tiny))
    return float(np.abs(np.tril(users / np.outer(scale, scale), -1)).max(initial=0.0))
