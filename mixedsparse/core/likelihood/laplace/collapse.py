"""Rows that agree in everything but the response become one: a binomial row of all their trials, or a weighted count.

The log-likelihood of a binomial or a Poisson row is linear in the response, so the sum over rows with the same linear
predictor is that of one row with the summed weights and the weighted mean response, but for a constant. Rows that
agree in the response too may come with their number, from a database that has counted them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixedsparse.core.likelihood.family import Family
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.problem.agreeing import agreeing_rows
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.patterns import Patterns

__all__ = ["collapsed", "collapses", "counted_data"]

_LINEAR = ("binomial", "poisson")


def collapses(family: Family) -> bool:
    """Whether the log-likelihood of a row is linear in its prior weight and the response, so that rows can be added."""
    return family.name in _LINEAR


def counted_data(engine: Engine, family: Family, patterns: Patterns, kept: tuple[np.ndarray, list[Block]]) -> Data:
    """Return the data of rows each of which stands for several observations; `kept` are their Q and their blocks."""
    y, counts = patterns.y, patterns.counts
    constant = 0.0
    order = np.argsort(counts, kind="stable")
    # What the rows leave out is not linear in the trials: it is summed over observations.
    for some in np.split(order, np.flatnonzero(np.diff(counts[order])) + 1):
        constant += float(counts[some[0]]) * family.constant(y[some], patterns.m[some])
    return Data(engine.problem, engine, family, y, patterns.m * counts, patterns.offset, kept=kept, constant=constant)


def collapsed(data: Data) -> tuple[Data, np.ndarray] | None:
    """Return `data` with one row for all that agree, and the new row of each old one; None where few agree."""
    n = data.n
    if n < data.engine.limits.collapsed or not collapses(data.family):
        return None
    pairs = max((len(pairs.indices) for pairs in data.problem.pairs.values()), default=0)
    given = [array for b in data.blocks for array in (b.codes, b.z)]
    agreeing = agreeing_rows([data.Q, data.offset, *given], pairs)
    if agreeing is None:
        return None
    inverse, first = agreeing
    m = np.bincount(inverse, data.m)
    y = np.bincount(inverse, data.m * data.y) / m
    if data.family.name == "binomial":
        # Exactly 0 and 1 where all outcomes are.
        y = np.where(y > 1.0 - 1e-15, 1.0, y)
    blocks = [Block(b.codes[first], b.z[first], b.n_levels, b.unit) for b in data.blocks]
    new = replace(data, y=y, m=m, offset=data.offset[first], kept=(data.Q[first], blocks), constant=0.0)
    # Both log-likelihoods at any one linear predictor give the constant.
    eta = data.family.link.of(np.full(len(first), float(np.clip(data.m @ data.y / data.m.sum(), 1e-6, None))))
    shift = data.rows(eta[inverse], 0.0).total - new.rows(eta, 0.0).total
    return replace(new, constant=data.constant + shift), inverse
