"""Designs whose graphs are hard for conjugate gradients or for random probes, small enough for the direct engines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mixedsparse import RandomTerm
from mixedsparse.core.problem.problem import Problem, make_problem
from tests.models import Rng, ones


def crossed(rng: Rng, codes: list[np.ndarray], sd: float | list[float], z: np.ndarray | None = None) -> Problem:
    """Intercepts, or the effects of the columns of z, on every list of codes."""
    n = len(codes[0])
    z = ones(n) if z is None else z
    y = rng.standard_normal(n)
    terms = []
    for i, (code, size) in enumerate(zip(codes, np.broadcast_to(sd, len(codes)), strict=True)):
        code = np.unique(code, return_inverse=True)[1]
        y += np.einsum("ij,ij->i", z, (size * rng.standard_normal((code.max() + 1, z.shape[1])))[code])
        terms.append(RandomTerm(f"g{i}", code, z))
    return make_problem(y, z, terms)


def communities(rng: Rng, sd: float) -> Problem:
    """60 communities with 0.5 % of the pairs across them."""
    home = rng.integers(60, size=20_000)
    other = np.where(rng.random(20_000) < 0.005, rng.integers(60, size=20_000), home)
    return crossed(rng, [home * 20 + rng.integers(20, size=20_000), other * 8 + rng.integers(8, size=20_000)], sd)


def star(rng: Rng, sd: float) -> Problem:
    """Pupils x teachers x schools; one answer in ten was given at another school."""
    pupil = np.arange(16_000) // 4
    school = rng.integers(40, size=4000)[pupil]
    school = np.where(rng.random(16_000) < 0.1, rng.integers(40, size=16_000), school)
    return crossed(rng, [pupil, school + 40 * rng.integers(8, size=16_000), school], [sd, 0.7 * sd, 0.5 * sd])


def near_nested(rng: Rng, sd: float) -> Problem:
    """Classes in schools, but for one row in a hundred."""
    lower = rng.integers(3000, size=15_000)
    upper = np.where(rng.random(15_000) < 0.01, rng.integers(300, size=15_000), lower // 10)
    return crossed(rng, [lower, upper], sd)


def pieces(rng: Rng, sd: float) -> Problem:
    """Disconnected pieces of three by two levels."""
    piece = rng.integers(500, size=4000)
    return crossed(rng, [piece * 3 + rng.integers(3, size=4000), piece * 2 + rng.integers(2, size=4000)], sd)


def dominant(rng: Rng, sd: float) -> Problem:
    """One level has 70 % of the rows."""
    level = np.where(rng.random(15_000) < 0.7, 0, rng.integers(600, size=15_000))
    return crossed(rng, [rng.integers(1500, size=15_000), level], sd)


def unequal(rng: Rng, sd: float) -> Problem:
    """Counts fall as a power law."""
    n = 20_000
    codes = [np.floor(levels * rng.random(n) ** 4).astype(int) for levels in (3000, 900)]
    return crossed(rng, codes, sd)


def slopes(rng: Rng, sd: float) -> Problem:
    n = 12_000
    z = np.column_stack([np.ones(n), rng.standard_normal(n)])
    return crossed(rng, [rng.integers(800, size=n), rng.integers(300, size=n)], [sd, 0.5 * sd], z)


def three(rng: Rng, sd: float) -> Problem:
    n = 12_000
    return crossed(rng, [rng.integers(levels, size=n) for levels in (900, 500, 400)], sd)


def sparse(rng: Rng, sd: float) -> Problem:
    """Barely connected: two rows per level."""
    n = 4000
    return crossed(rng, [rng.integers(1800, size=n), rng.integers(1200, size=n)], sd)


GRAPHS: dict[str, Callable[[Rng, float], Problem]] = {
    graph.__name__: graph
    for graph in (communities, star, near_nested, pieces, dominant, unequal, slopes, three, sparse)
}


def graph(name: str, sd: float = 1.0, seed: int = 0) -> Problem:
    """The design `name` with effects of standard deviation `sd` (residual 1)."""
    return GRAPHS[name](np.random.default_rng([seed, len(name)]), sd)
