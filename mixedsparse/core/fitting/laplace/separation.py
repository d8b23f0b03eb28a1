"""Responses for which the likelihood has no maximum, or no finite one.

A direction delta of the fixed part along which no row becomes less likely, and some become more so, leads the
likelihood up for ever (Albert & Anderson 1984; found by a linear programme, Konis 2007). With random effects it does
so whatever these are. Where every level of a factor has one and the same outcome throughout, its variance has no
estimate: the likelihood rises as it grows without limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog

from mixedsparse.core.likelihood.laplace.data import Data

__all__ = ["Separation", "constant_levels", "is_constant", "is_constant_effect", "separation", "single_trials"]

# Entries of a separating direction, and gains of rows along it, that count.
_MOVES = 1e-7
_GAINS = 1e-6
# Digits of X in which rows count as equal.
_DIGITS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """A direction along which the likelihood rises for ever.

    Attributes
    ----------
    columns : ndarray of int
        Columns of X, among those kept, that it moves.
    direction : ndarray, shape (p,)
        Of beta, the largest entry 1 in absolute value.
    rows : ndarray of int
        Rows whose outcome it makes certain.
    """

    columns: np.ndarray
    direction: np.ndarray
    rows: np.ndarray


def separation(data: Data) -> Separation | None:
    """Find a direction that separates the responses; None where there is none.

    Binomial responses with all or no successes, and counts of zero, are those that a direction can make certain; every
    other row must not move.
    """
    sides = _sides(data)
    if sides is None or not data.p:
        return None
    X = data.Q @ data.root
    scale = np.abs(X).max(axis=0)
    scaled = np.round(X / np.where(scale > 0, scale, 1.0), _DIGITS)
    signed = np.column_stack([sides, np.where(sides[:, None] < 0, -scaled, scaled)])
    unique, inverse = np.unique(signed, axis=0, return_inverse=True)
    side, columns = unique[:, 0], unique[:, 1:]
    certain = side != 0
    if not certain.any():
        return None
    solved = linprog(
        -columns[certain].sum(axis=0),
        A_ub=-columns[certain],
        b_ub=np.zeros(int(certain.sum())),
        A_eq=columns[~certain] if (~certain).any() else None,
        b_eq=np.zeros(int((~certain).sum())) if (~certain).any() else None,
        bounds=[(-1.0, 1.0)] * data.p,
        method="highs",
    )
    if solved.x is None or -solved.fun <= _GAINS:
        return None
    direction = solved.x / np.where(scale > 0, scale, 1.0)
    gains = np.where(certain, columns @ solved.x, 0.0)[inverse.reshape(-1)]
    moved = np.flatnonzero(np.abs(solved.x) > _MOVES)
    return Separation(moved, direction / np.abs(direction).max(), np.flatnonzero(gains > _GAINS))


def _sides(data: Data) -> np.ndarray | None:
    """Return 1 where a larger linear predictor makes the outcome certain, -1 where a smaller one does, 0 elsewhere."""
    name, link = data.family.name, data.family.link.name
    if name == "binomial":
        return np.where(data.y == 1.0, 1.0, np.where(data.y == 0.0, -1.0, 0.0))
    if name in ("poisson", "negative_binomial", "nb1") and link == "log":
        return np.where(data.y == 0.0, -1.0, 0.0)
    return None


def is_constant(data: Data) -> bool:
    """Whether the responses leave nothing to estimate: all successes, all failures, or zero counts only."""
    if data.family.name == "binomial":
        return bool((data.y == 0.0).all() or (data.y == 1.0).all())
    return bool((data.y == data.y[0]).all()) if data.family.has_dispersion else bool((data.y == 0.0).all())


def constant_levels(data: Data) -> list[int]:
    """Blocks of which every level has only successes or only failures (single trials aside: see `single_trials`)."""
    if data.family.name != "binomial":
        return []
    found = []
    for b, block in enumerate(data.blocks):
        trials = np.bincount(block.codes, data.m, minlength=block.n_levels)
        successes = np.bincount(block.codes, data.m * data.y, minlength=block.n_levels)
        constant = (successes <= 0) | (successes >= trials)
        if constant.all() and (trials > 1).any():
            found.append(b)
    return found


def is_constant_effect(data: Data, b: int) -> bool:
    """Whether a block has one effect, the same for all rows: an intercept."""
    z = data.blocks[b].z
    return z.shape[1] == 1 and bool(np.ptp(z) <= 1e-12 * np.abs(z).max())


def single_trials(data: Data) -> list[int]:
    """Blocks of which every level has one single trial: a binary outcome tells nothing of its own variance."""
    if data.family.name != "binomial":
        return []
    return [
        b
        for b, block in enumerate(data.blocks)
        if np.bincount(block.codes, data.m, minlength=block.n_levels).max() <= 1
    ]
