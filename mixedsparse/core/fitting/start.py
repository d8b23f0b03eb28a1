"""Starting values: the covariance matrices of all blocks, and the residual variance, by the method of moments.

With r the least-squares residual, P = I - QQ', any weights G_l (K, K) and u_l = G_l Z_l'r, B_lm = G_l Z_l'P Z_m,

    E[sum_l u_l u_l'] = sum over l, blocks t, levels m of t of B_lm Sigma_t B_lm' + sigma^2 sum_l G_l Z_l'P Z_l G_l'

and r'r likewise: linear equations for all the variances at once, as in Henderson's method 3 (Searle, Casella &
McCulloch 1992, section 5.5). Where the design is balanced the solution is the REML estimate itself. The weights
(A_l + I)^-1, the best ones if Lambda were I, keep levels with few rows from deciding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.likelihood.interface import Written
from mixedsparse.core.likelihood.traces import gram_table, sums_of_squares
from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.terms import row_labels
from mixedsparse.core.problem.whole import slabs_of, whole
from mixedsparse.ground.errors import OptionError

__all__ = ["check_theta", "moment_start"]

# Share of the total variance that the residual keeps at least.
_RESIDUAL_SHARE = 0.01
# Smallest variance ratio to start from, over the mean number of rows per level: a start at 0 would be stationary.
_SMALLEST_RATIO = 0.1
_LARGEST_FLOOR = 0.01
# Numbers in the products of a row of X up to which X is taken out of the coefficients, and entries of the covariance
# matrices up to which all are estimated; beyond, X counts as noise and correlations start at 0.
_WIDEST, _MOST = 1_000_000, 1000
# Random effects up to which products of all levels at once are quicker than one for each pair.
_FEW = 100
# Numbers that are gathered at a time.
_AT_ONCE = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """One block, level by level: A, Z'Q, the weights G, and G Z'Q; which entries of its covariance matrix are free."""

    gram: np.ndarray
    cross: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray
    free: np.ndarray


def moment_start(problem: Problem, few: int = _FEW) -> np.ndarray:
    """Return theta (m,) of the whitened bases; up to `few` random effects go by products of all levels at once."""
    layout = problem.layout
    sides = [_side(problem, b) for b in range(len(layout.widths))]
    stops = np.cumsum([len(side.free) for side in sides])
    places = [slice(stop - len(side.free), stop) for stop, side in zip(stops, sides, strict=True)]
    size = int(stops[-1]) + 1
    system, known = np.zeros((size, size)), np.zeros(size)
    for side, place, cross in zip(sides, places, problem.Zxy, strict=True):
        u = _times(side.weight, cross[:, :, -1:])[:, :, 0]
        known[place] = (u.T @ u).ravel()[side.free]
    if layout.q <= few and not problem.coupled:
        _from_whole(problem, sides, places, system)
    else:
        _from_levels(problem, sides, places, system)
    system[-1, -1], known[-1] = problem.degrees(True), problem.xy[-1, -1]
    solution = np.linalg.lstsq(system, known, rcond=None)[0]
    total = float(problem.xy[-1, -1]) / problem.n
    residual = max(float(solution[-1]), _RESIDUAL_SHARE * total)
    lams = []
    for b, (side, place) in enumerate(zip(sides, places, strict=True)):
        k = layout.widths[b]
        covariance = np.zeros(k * k)
        covariance[side.free] = solution[place] / residual if residual > 0 else 0.0
        floor = min(_SMALLEST_RATIO * layout.n_levels[b] / problem.n, _LARGEST_FLOOR)
        lams.append(_root(covariance.reshape(k, k), floor))
    return layout.gather(lams)


def _side(problem: Problem, b: int) -> _Side:
    layout, gram = problem.layout, problem.grams[b]
    k, p = layout.widths[b], problem.p if (problem.p * max(layout.widths)) ** 2 <= _WIDEST else 0
    cross = problem.Zxy[b][:, :, :p]
    weight = 1.0 / (gram + 1.0) if k == 1 else np.linalg.inv(gram + np.eye(k))
    free = np.zeros((k, k), dtype=bool)
    row, col = layout.row[layout.members[b]], layout.col[layout.members[b]]
    if sum(width**2 for width in layout.widths) > _MOST:
        row = col = row[row == col]
    free[row, col] = free[col, row] = True
    return _Side(gram, cross, weight, _times(weight, cross), np.flatnonzero(free))


def _from_whole(problem: Problem, sides: list[_Side], places: list[slice], system: np.ndarray) -> None:
    """Fill in the coefficients by products of all levels at once."""
    layout, slabs, products = problem.layout, slabs_of(problem.layout), whole(problem)
    q, p = layout.q, sides[0].cross.shape[2]
    beyond_x = products[:q, :q] - products[:q, q : q + p] @ products[q : q + p, :q]
    if max(layout.widths) == 1:
        starts, weight = [slab.start for slab in slabs], np.concatenate([side.weight.ravel() for side in sides])
        diagonal = beyond_x.diagonal()
        system[:-1, -1] = np.add.reduceat(np.square(weight) * diagonal, starts)
        system[-1, :-1] = np.add.reduceat(diagonal, starts)
        system[:-1, :-1] = sums_of_squares(weight[:, None] * beyond_x, starts)
        return
    weighted = np.empty((q, q))
    for side, place, slab in zip(sides, places, slabs, strict=True):
        own = beyond_x[slab].reshape(side.gram.shape[1], -1, q).swapaxes(0, 1)
        levels, k, _ = own.shape
        weighted[slab] = _times(side.weight, own).swapaxes(0, 1).reshape(k * levels, q)
        mine = np.einsum("alcl->lac", weighted[slab, slab].reshape(k, levels, k, levels))
        system[place, -1] = _times(mine, side.weight).sum(axis=0).ravel()[side.free]
        system[-1, place] = np.einsum("lacl->ac", own[:, :, slab].reshape(levels, k, k, levels)).ravel()[side.free]
    written = Written(weighted, {b: slab.start for b, slab in enumerate(slabs)})
    for s, (side, place) in enumerate(zip(sides, places, strict=True)):
        for t, (other, there) in enumerate(zip(sides, places, strict=True)):
            table = gram_table(written, layout, s, t, q * q)
            system[place, there] = table[side.free[:, None], other.free]


def _from_levels(problem: Problem, sides: list[_Side], places: list[slice], system: np.ndarray) -> None:
    """Fill in the coefficients level by level, and by pairs of levels with rows in common."""
    for side, place in zip(sides, places, strict=True):
        noise = (_times(_times(side.weight, side.gram), side.weight)).sum(axis=0) - _outer_sum(side.weighted)
        system[place, -1] = noise.ravel()[side.free]
        system[-1, place] = (side.gram.sum(axis=0) - _outer_sum(side.cross)).ravel()[side.free]
        within = _apart(side, side)
        for piece in _pieces(len(side.gram), side, side):
            own = np.arange(piece.start, piece.stop)
            within += _meetings(side, side, own, own, side.gram[piece])
        system[place, place] = within[np.ix_(side.free, side.free)]
    for (s, t), pairs in problem.pairs.items():
        one, other = sides[s], sides[t]
        if s == t:
            # All pairs of levels are in the block's own coefficients already, as if none met another.
            nothing = np.zeros((problem.layout.widths[s] ** 2,) * 2)
            system[places[s], places[s]] += sum(_with_meetings((nothing, nothing), one, other, pairs))
            continue
        apart = _apart(one, other), _apart(other, one)
        system[places[s], places[t]], system[places[t], places[s]] = _with_meetings(apart, one, other, pairs)


def _apart(s: _Side, t: _Side) -> np.ndarray:
    """Sum of B (x) B over all pairs of levels as if none had rows in common."""
    return _gram(s.weighted) @ _gram(t.cross).T


def _with_meetings(apart: Sequence[np.ndarray], s: _Side, t: _Side, pairs: Pairs) -> list[np.ndarray]:
    """Add what pairs of levels have by rows in common to the sums over s and t, and over t and s; the free entries."""
    forth, back = (out.copy() for out in apart)
    for piece in _pieces(len(pairs.indices), s, t):
        rows, columns, data = pairs.rows_of(piece), pairs.indices[piece], pairs.data[piece]
        forth += _meetings(s, t, rows, columns, data)
        back += _meetings(t, s, columns, rows, data.swapaxes(1, 2))
    return [forth[np.ix_(s.free, t.free)], back[np.ix_(t.free, s.free)]]


def _pieces(total: int, s: _Side, t: _Side) -> Iterator[slice]:
    """Yield slices of as many pairs of levels as are worked on at a time."""
    k, j, p = s.gram.shape[1], t.gram.shape[1], s.cross.shape[2]
    step = max(1, _AT_ONCE // (k * j + k * p + j * p))
    for start in range(0, total, step):
        yield slice(start, min(start + step, total))


def _meetings(s: _Side, t: _Side, rows: np.ndarray, columns: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return what the sum of B (x) B has more by the rows that these pairs of levels have in common."""
    own = _times(s.weight[rows], data)
    shared = s.weighted[rows] @ t.cross[columns].swapaxes(1, 2)
    return np.asarray(_gram(own - shared) - _gram(shared))


def _gram(blocks: np.ndarray) -> np.ndarray:
    """Sum of the Kronecker products of blocks (n, K, J) with themselves, (K^2, J^2)."""
    n, k, j = blocks.shape
    flat = blocks.reshape(n, k * j)
    return (flat.T @ flat).reshape(k, j, k, j).swapaxes(1, 2).reshape(k * k, j * j)


def _outer_sum(blocks: np.ndarray) -> np.ndarray:
    """Sum over levels of b b', b (K, p)."""
    flat = blocks.swapaxes(0, 1).reshape(blocks.shape[1], -1)
    return flat @ flat.T


def _times(blocks: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return blocks * vectors if blocks.shape[1] == 1 else blocks @ vectors


def _root(covariance: np.ndarray, floor: float) -> np.ndarray:
    """Lower-triangular root of the nearest covariance matrix whose eigenvalues are at least `floor`."""
    if len(covariance) == 1:
        return np.sqrt(np.maximum(covariance, floor))
    values, vectors = np.linalg.eigh(covariance)
    return np.linalg.cholesky((vectors * np.maximum(values, floor)) @ vectors.T)


def check_theta(problem: Problem, theta: Any, name: str, more: int = 0) -> np.ndarray:
    """Return `theta` as an array (m,) of finite numbers; the error calls it `name`.

    The `more` parameters of a residual covariance may stand behind it.

    Raises
    ------
    OptionError
        It is not one; the message counts the parameters.
    """
    labels = row_labels(theta)
    if labels is not None and not np.array_equal(labels, np.arange(len(labels))):
        raise OptionError(f"{name} has labels, but theta goes by position: give values in the order of theta.")
    try:
        values = np.atleast_1d(np.asarray(theta, dtype=float))
    except (TypeError, ValueError) as err:
        raise OptionError(f"{name}={theta!r} is not an array of numbers.") from err
    if values.shape not in ((problem.n_theta,), (problem.n_theta + more,)) or not np.isfinite(values).all():
        groups = ", ".join(f"{t.group} ({t.n_theta})" for t in problem.terms)
        groups += f"; then, if given, {more} of the residuals" if more else ""
        raise OptionError(
            f"{name} must hold {problem.n_theta} finite numbers, one per covariance parameter: {groups}; got {theta!r}."
        )
    return values
