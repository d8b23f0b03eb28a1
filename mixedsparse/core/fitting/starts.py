"""Thetas to start further searches from, of the whitened bases: a term's effects are in units of sigma.

Even ones have all standard deviations alike, or those of one term large or small beside the others. Where a term takes
up what belongs to the residual, or to another term, the way out leads through values at which that one is small and the
others are large (or the other way round), and no start with all of them alike comes near. Others are the first end with
the least variance of one grouping factor taken away, with all of one factor's many times larger or smaller, with every
entry changed at random, and altogether random.
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.problem.absent_rows import are_here
from mixedsparse.core.problem.problem import Problem

__all__ = ["changed_copies", "even_starts", "far_copies", "random_starts", "starts_of_light_rows", "without_or_scaled"]

# Standard deviations over sigma: all terms alike; one term and the others, either way round.
_ALIKE = (1.0, 0.1, 3.0, 10.0)
_UNLIKE = ((3.0, 0.1), (30.0, 0.3), (300.0, 3.0))
# Standard deviation over mean below which a column is far from 0; what its term has, over that, and the others.
_FAR, _FAR_OUT = 0.1, ((1.0, 1.0), (3.0, 0.3))
# Size of the response over that of the residuals above which a term may have to take up its mean, and what the others
# have then.
_HIGH, _BESIDE_HIGH = 300.0, 1.0
# Entries of the first end: the spread of the powers of ten that they are multiplied by, the share that change their
# sign, and what stands for a variance of 0.
_SPREAD, _FLIPPED, _LIFTED = 0.5, 0.3, 0.3
# Share of the largest singular value of a factor's Lambda below which it has no variance in a direction, and what all
# of one factor's deviations are multiplied by.
_GONE, _SCALED = 1e-8, (10.0, 0.1)
# Largest root weight over the median from which rows of usual weight are light.
_HEAVY = 30.0
# Searches come back from far out by powers of ten, so that where they arrive hangs on the digits of where they began:
# what the ratio of root weights is multiplied by.
_PHASES = 10.0 ** (np.arange(4) / 4)
# How far out copies lie towards no residual variance, and what stands for a variance of 0, over the largest entry.
_OUT, _FILLED = 30.0, (0.0, 0.3)
# Powers of ten between which random deviations lie, and the share of them that is at the lower end.
_LEAST, _MOST = -2.0, 1.5
_ABSENT = 0.15


def even_starts(problem: Problem, pwrss: float) -> list[np.ndarray]:
    """Make terms far from 0 very large, then all terms alike, then one of them large or small beside the others.

    Where the response is far larger than what the first end leaves of it, `pwrss`, a term takes up its mean.
    """
    height = float(np.sqrt(float(problem.xy[-1, -1]) / max(pwrss, np.finfo(float).tiny)))
    terms, sizes = np.arange(len(problem.terms)), []
    # Columns far from 0 are nearly constant: what they say beside other terms is small, and takes large deviations.
    for t, spread in enumerate(problem.spreads[1:]):
        near = float(spread.min(initial=np.inf))
        if 0.0 < near < _FAR:
            sizes += [np.where(terms == t, large / near, small) for large, small in _FAR_OUT]
            # Apart from them, effects of other columns make up for the mean.
            sizes += [np.where(terms == t, 1.0, 1.0 / near)] if len(terms) > 1 else []
    if height > _HIGH:
        sizes += [np.where(terms == t, height, _BESIDE_HIGH) for t in terms]
    sizes += [np.full(len(terms), alike) for alike in _ALIKE]
    if len(terms) > 1:
        for large, small in _UNLIKE:
            sizes += [np.where(terms == t, large, small) for t in terms]
            # Of two terms, one is small where the other is large.
            sizes += [np.where(terms == t, small, large) for t in terms if len(terms) > 2]
    widths = [len(whiten) for whiten in problem.layout.whiten]
    return [_theta(problem, [np.full(k, s) for k, s in zip(widths, size, strict=True)]) for size in sizes]


def changed_copies(problem: Problem, theta: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Copy `theta` (m,) `count` times, every entry multiplied by a power of ten and some signs changed."""
    layout, shape = problem.layout, (count, len(theta))
    lifted = np.where(layout.is_diagonal & (theta == 0.0), _LIFTED, theta)
    signs = np.where(rng.random(shape) < _FLIPPED, -1.0, 1.0)
    return [layout.positive(changed) for changed in signs * lifted * 10.0 ** (_SPREAD * rng.normal(size=shape))]


def without_or_scaled(problem: Problem, theta: np.ndarray) -> list[np.ndarray]:
    """Copy `theta` (m,) with one factor's weakest direction taken away, then with one factor's deviations scaled.

    An optimum with fewer directions of variance, and one at which a factor has most of what another had, are the usual
    neighbours of an end on the boundary.
    """
    layout = problem.layout
    lams = layout.lams(theta)
    without, scaled = [], []
    for b, lam in enumerate(lams):
        left, sizes, _ = np.linalg.svd(lam)
        rank = int((sizes > _GONE * sizes[0]).sum()) if sizes[0] > 0.0 else 0
        if not rank:
            continue
        fewer = np.linalg.qr((left[:, : rank - 1] * sizes[: rank - 1]).T)[1].T
        replaced = np.zeros_like(lam)
        replaced[:, : rank - 1] = fewer
        without.append(layout.gather([*lams[:b], replaced, *lams[b + 1 :]]))
        scaled += [layout.gather([*lams[:b], factor * lam, *lams[b + 1 :]]) for factor in _SCALED]
    # With one factor alone, the scale belongs to the residual.
    return [layout.positive(start) for start in without + (scaled if len(lams) > 1 else [])]


def far_copies(problem: Problem, theta: np.ndarray) -> list[np.ndarray]:
    """Copy `theta` (m,) far out, where residuals are small beside effects: as it is, and with no variance at 0."""
    gone = problem.layout.is_diagonal & (theta == 0.0)
    return [_OUT * np.where(gone, filled * np.abs(theta).max(), theta) for filled in _FILLED]


def starts_of_light_rows(problem: Problem, rng: np.random.Generator) -> list[np.ndarray]:
    """Make one effect as large as rows of usual weight can see, the others as large as sigma, anyhow correlated.

    Effects are in units of what the heaviest rows say; beside these, rows of usual weight say something of deviations
    that are larger by the ratio of the roots of their weights.
    """
    weights = problem.root_weights
    if weights is None or not are_here(weights):
        return []
    ratio = float(weights.max()) / max(float(np.median(weights)), np.finfo(float).tiny)
    if ratio < _HEAVY:
        return []
    widths = [len(whiten) for whiten in problem.layout.whiten]
    ends = np.cumsum(widths)[:-1]
    one = np.eye(sum(widths), dtype=bool)
    sizes = [np.where(chosen, ratio * phase, 1.0) for phase in _PHASES for chosen in one]
    return [_theta(problem, np.split(size, ends), rng) for size in sizes]


def random_starts(problem: Problem, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw deviations, some of them absent, anyhow correlated."""
    out = []
    for _ in range(count):
        spread = [10.0 ** rng.uniform(_LEAST, _MOST, len(w)) for w in problem.layout.whiten]
        present = [np.where(rng.random(len(s)) < _ABSENT, 10.0**_LEAST, s) for s in spread]
        out.append(_theta(problem, present, rng))
    return out


def _theta(problem: Problem, deviations: list[np.ndarray], rng: np.random.Generator | None = None) -> np.ndarray:
    """Theta of effects with the given SD over sigma, per term, whitened bases: uncorrelated, or anyhow by `rng`."""
    layout = problem.layout
    blocks = [np.zeros((k, k)) for k in layout.widths]
    for b, start, own in zip(layout.term_block, layout.term_start, deviations, strict=True):
        inside = slice(start, start + len(own))
        rows = np.eye(len(own)) if rng is None else np.tril(rng.normal(size=(len(own), len(own))))
        blocks[b][inside, inside] = own[:, None] * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return layout.positive(layout.gather(blocks))
