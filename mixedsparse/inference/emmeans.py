"""Estimated marginal means and trends: averages of predictions over a reference grid."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import check_level, one_of
from mixedsparse.ground.choices import Weighting
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.grid import Grid, check_known, encode, make_grid, predictors, term_variables
from mixedsparse.inference.means import MarginalMeans
from mixedsparse.inference.nesting import add_groups, existing, nest_shares

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.response_scale import ResponseScale

__all__ = ["WEIGHTS", "emmeans", "emtrends", "marginal"]

WEIGHTS = get_args(Weighting)
# Step of a difference quotient, in ranges of the variable (emmeans' delta.var).
_STEP = 1e-3


def emmeans(
    fitted: Fitted,
    specs: Any,
    by: str | Sequence[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    ddf: str = "satterthwaite",
    level: float = 0.95,
    scale: ResponseScale | None = None,
) -> MarginalMeans:
    """Estimate marginal means; see `MixedResults.emmeans`. Those of `scale` are averages before they go there."""
    factors, by = read_specs(specs, by)
    check_level(level)
    grid = make_grid(fitted, at)
    return _means(grid, grid.X, grid.offset, factors, by, weights, ddf, level, "emmean", scale)


def emtrends(
    fitted: Fitted,
    specs: Any,
    var: str,
    by: str | Sequence[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    ddf: str = "satterthwaite",
    level: float = 0.95,
) -> MarginalMeans:
    """Estimate slopes in `var`; see `MixedResults.emtrends`."""
    factors, by = read_specs(specs, by)
    check_level(level)
    check_known([var], predictors(fitted), "var")
    grid = make_grid(fitted, at)
    variable = grid.predictors[var]
    if variable.is_factor:
        covariates = ", ".join(repr(p.name) for p in grid.predictors.values() if not p.is_factor) or "none"
        raise OptionError(f"var={var!r} is a factor, which has no slope. Covariates: {covariates}.")
    step = _STEP * (variable.span[1] - variable.span[0])
    columns = grid.columns(np.arange(len(grid.X)))
    moved, _ = encode(fitted, {**columns, var: [value + step for value in columns[var]]}, len(grid.X))
    slopes = (moved - grid.X) / step
    return _means(grid, slopes, np.zeros(len(slopes)), factors, by, weights, ddf, level, "trend")


def _means(
    grid: Grid,
    functions: np.ndarray,
    offset: np.ndarray,
    factors: Sequence[str],
    by: Sequence[str],
    weights: str,
    ddf: str,
    level: float,
    estimand: str,
    scale: ResponseScale | None = None,
) -> MarginalMeans:
    """Average the `functions` (g, P) of the rows of the grid, and their `offset`, over what is not asked for."""
    check_known([*factors, *by], grid.levels, "specs")
    factors, by = add_groups(grid.nesting, factors, by)
    frame, average = marginal(grid, factors, by, weights)
    there = _occurring(grid, factors, by)
    frame, average = frame[there].reset_index(drop=True), average[there]
    nested = [name for name in grid.nesting if len(grid.levels[name]) > 1]
    remarks = tuple(f"{name!r} is nested in {', '.join(map(repr, grid.nesting[name]))}." for name in nested)
    means = MarginalMeans(
        grid.fitted,
        frame,
        average @ functions,
        average @ offset,
        by,
        ddf,
        level,
        factors=factors,
        estimand=estimand,
        remarks=remarks,
        fixed=tuple(name for name, values in grid.levels.items() if len(values) == 1 and name in (*factors, *by)),
        scale=scale,
        averaged=_averaged(grid, factors, by, weights),
    )
    means._warn()
    return means


def _averaged(grid: Grid, factors: Sequence[str], by: Sequence[str], weights: str) -> str:
    """Over what means are averages, and which of it interacts with what they are asked for, as a sentence."""
    kept, terms, told = [*factors, *by], term_variables(grid.fitted), []
    for name, levels in grid.levels.items():
        if name not in kept and len(levels) > 1:
            partners = [k for k in kept if any({name, k} <= term for term in terms)]
            told.append(f"over {name}" + (f", which interacts with {' and '.join(partners)}" if partners else ""))
    how = "" if weights == "equal" else f" (weights: {weights})"
    return f"Averaged {', and '.join(told)}{how}." if told else ""


def _occurring(grid: Grid, factors: Sequence[str], by: Sequence[str]) -> np.ndarray:
    """Mask of the means whose nested factors occur with the levels that they are nested in."""
    names, kept = list(grid.levels), [*factors, *by]
    out = np.ones(grid.shape, dtype=bool)
    for name in grid.nesting:
        if name in kept:
            out = out & existing(names, grid.determined, grid.nesting, name)
    order = [*map(names.index, kept), *(axis for axis, name in enumerate(names) if name not in kept)]
    return np.transpose(out, order).reshape(prod(grid.shape[names.index(name)] for name in kept), -1, order="F")[:, 0]


def read_specs(specs: Any, by: str | Sequence[str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the factors and of the `by` factors, from ``"a"``, ``["a", "b"]`` or ``"~ a * b | c"``."""
    by = [] if by is None else [by] if isinstance(by, str) else list(by)
    if isinstance(specs, str):
        text = specs.strip()
        left, tilde, right = text.partition("~")
        if tilde and left.strip():
            raise OptionError(
                f"specs={specs!r} has a left side: write '~{right}' and take contrasts by .contrast({left.strip()!r})."
            )
        inside, _, given = (right if tilde else text).partition("|")
        by = [*_names(given), *by]
        specs = _names(inside) if text == "1" or re.search(r"[~|*:+]", text) else [text]
    names = tuple(dict.fromkeys(specs))
    by = tuple(dict.fromkeys(by))
    return tuple(name for name in names if name not in by), by


def _names(text: str) -> list[str]:
    """Variables of ``"a * b"``; names with other characters in backticks."""
    found = re.findall(r"`([^`]+)`|([^\s*:+]+)", text)
    return [name for name in (quoted or bare for quoted, bare in found) if name != "1"]


def marginal(
    grid: Grid, factors: Sequence[str], by: Sequence[str], weights: str = "equal"
) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels of the means (r rows) and the averages (r, g) over the grid that make them.

    Within each combination of `by` the first of `factors` varies fastest. ``"proportional"`` weighs by how often the
    combinations of the factors that are averaged over occur, ``"outer"`` by the product of their margins, and
    ``"cells"`` by how often the cells themselves occur.
    """
    one_of("weights", weights, WEIGHTS)
    names = list(grid.levels)
    kept = [names.index(name) for name in (*factors, *by)]
    over = [axis for axis in range(len(names)) if axis not in kept]
    share = np.transpose(_shares(grid, over, kept, weights), [*kept, *over])
    sizes, cells = share.shape[: len(kept)], int(np.prod(share.shape[: len(kept)]))
    share = share.reshape(cells, -1, order="F")
    total = share.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        share = share / total
    place = np.arange(len(grid.X)).reshape(grid.shape, order="F")
    place = np.transpose(place, [*kept, *over]).reshape(cells, -1, order="F")
    average = np.zeros((cells, len(grid.X)))
    average[np.arange(cells)[:, None], place] = share
    at = np.unravel_index(np.arange(cells), sizes, order="F") if kept else ()
    frame = pd.DataFrame(
        {names[axis]: [grid.levels[names[axis]][i] for i in code] for axis, code in zip(kept, at, strict=True)},
        index=pd.RangeIndex(cells),
    )
    return frame, average


def _shares(grid: Grid, over: Sequence[int], kept: Sequence[int], weights: str) -> np.ndarray:
    """Weight of each cell, an array of the grid's shape."""
    names = list(grid.levels)
    nests = nest_shares(names, grid.determined, grid.nesting, {names[axis] for axis in over}, weights == "equal")
    if weights == "equal":
        return nests
    counts = grid.counts
    if weights == "cells":
        return counts
    if weights == "proportional":
        return counts.sum(axis=tuple(kept), keepdims=True) * nests
    margins = nests
    for axis in over:
        rest = tuple(other for other in range(counts.ndim) if other != axis)
        margins = margins * counts.sum(axis=rest, keepdims=True)
    return margins
