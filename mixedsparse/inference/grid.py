"""The reference grid: every combination of the levels of the predictors, in the encoding of the fit."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.source import Covariate
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.inference.estimability import estimable, null_space
from mixedsparse.inference.nesting import find_nesting

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Grid", "Predictor", "check_known", "encode", "make_grid", "predictors", "term_variables"]

# Rows of a grid: more is a covariate taken for a factor, or a model that needs `at`.
_MOST_ROWS = 100_000
# Inside a call, a column whose numbers stand for the levels of a factor.
_COERCED = re.compile(r"\bC\(\s*(_ms\d+v)\b")


@dataclass(frozen=True, eq=False)
class Predictor:
    """A variable of the fixed part.

    Attributes
    ----------
    name : str
    values : array, shape (n,)
        In the rows of the fit.
    is_factor : bool
        Factors stand in the grid at their levels, covariates at their mean, or at both values if these are two.
    levels : tuple
        Levels of a factor in order; of a covariate both values if it has two, else its mean.
    span : tuple of float
        Smallest and largest value of a covariate.
    """

    name: str
    values: Any
    is_factor: bool
    levels: tuple[Any, ...]
    span: tuple[float, float] = (np.nan, np.nan)

    @property
    def is_discrete(self) -> bool:
        """Whether it stands at all of its values."""
        return self.is_factor or len(self.levels) > 1

    def at(self, chosen: Any) -> tuple[Any, ...]:
        """Check the values `chosen` for the grid, and return them as this predictor's own."""
        wanted = [chosen] if isinstance(chosen, str) or np.ndim(chosen) == 0 else list(chosen)
        if not wanted:
            raise OptionError(f"at={{{self.name!r}: []}} is empty; give at least one value.")
        if self.is_factor:
            return tuple(self._level(value) for value in wanted)
        try:
            return tuple(float(value) for value in wanted)
        except (TypeError, ValueError) as err:
            raise OptionError(f"at: {self.name!r} is a covariate; give numbers, not {wanted!r}.") from err

    def _level(self, value: Any) -> Any:
        for level in self.levels:
            if level == value or str(level) == str(value):
                return level
        listed = ", ".join(map(repr, self.levels))
        raise OptionError(f"at: the factor {self.name!r} has no level {value!r}; its levels are {listed}.")


@dataclass(frozen=True, eq=False)
class Grid:
    """Combinations of levels, and what the model predicts there.

    Attributes
    ----------
    fitted : Fitted
    levels : dict
        Values of each predictor, in formula order; the first varies fastest.
    X : ndarray, shape (g, P)
        Fixed-effects design, all columns, those that were dropped for rank as well.
    offset : ndarray, shape (g,)
    predictors : dict
        By name.
    nesting : dict
        Nested factors, each with the factors that it is nested in.
    """

    fitted: Fitted
    levels: Mapping[str, tuple[Any, ...]]
    X: np.ndarray
    offset: np.ndarray
    predictors: Mapping[str, Predictor]
    nesting: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def determined(self) -> np.ndarray:
        """Cells whose means the data determine, an array of `shape`."""
        return estimable(self.X, null_space(self.fitted)).reshape(self.shape, order="F")

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of levels of each predictor."""
        return tuple(len(levels) for levels in self.levels.values())

    @property
    def factors(self) -> list[str]:
        """Predictors at several levels, or factors."""
        return [name for name, levels in self.levels.items() if len(levels) > 1 or self.predictors[name].is_factor]

    @cached_property
    def counts(self) -> np.ndarray:
        """Prior weight of the rows of the data in each cell of the factors, an array of `shape`."""
        n = self.fitted.nobs
        cell, inside, shape = np.zeros(n, dtype=np.intp), np.ones(n, dtype=bool), []
        for name, levels in self.levels.items():
            shape.append(1)
            if self.predictors[name].is_discrete and set(levels) <= set(self.predictors[name].levels):
                code = pd.Index(list(levels)).get_indexer(pd.Index(np.asarray(self.predictors[name].values)))
                inside &= code >= 0
                cell = cell * len(levels) + code
                shape[-1] = len(levels)
        prior = self.fitted.weights
        weights = np.ones(n) if prior is None else prior
        counts = np.bincount(cell[inside], weights=weights[inside], minlength=prod(shape)).reshape(shape)
        return np.broadcast_to(counts, self.shape)

    def columns(self, index: np.ndarray) -> dict[str, list[Any]]:
        """Values of the predictors in the rows `index` of the grid."""
        at = np.unravel_index(index, self.shape, order="F") if self.levels else ()
        return {name: [self.levels[name][i] for i in code] for name, code in zip(self.levels, at, strict=True)}


def predictors(fitted: Fitted) -> dict[str, Predictor]:
    """Variables of the fixed part and of the offset, in formula order.

    Raises
    ------
    DataError
        The model was made from arrays, which have no variables.
    """
    design = fitted.design
    if design.encoding is None or design.source is None:
        raise DataError(
            "The model was made from arrays, so it has no factors: fit it from a formula, or test rows with t_test."
        )
    parsed, side = design.encoding.parsed, design.encoding.fixed.side
    texts = [side.text, *(offset.code for offset in parsed.offsets)]
    coerced = {parsed.names[alias] for alias in _COERCED.findall(side.text)}
    codings = {parsed.names[alias]: coding.levels for alias, coding in design.encoding.fixed.codings.items()}
    names = dict.fromkeys(parsed.names[alias] for text in texts for alias in aliases_in(text))
    if design.encoding.offset_column:
        names[design.encoding.offset_column] = None
    out = {}
    for name in names:
        values = design.source.values(name)
        found = codings[name] if name in codings else design.source.summary(name, name in coerced)
        if isinstance(found, Covariate):
            levels = tuple(map(_plain, (found.low, found.high))) if found.binary else (found.mean,)
            out[name] = Predictor(name, values, False, levels, (found.low, found.high))
        else:
            out[name] = Predictor(name, values, True, tuple(found))
    return out


def _plain(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def make_grid(
    fitted: Fitted, at: Mapping[str, Any] | None = None, spread: Mapping[str, Sequence[float]] | None = None
) -> Grid:
    """Lay out the grid.

    Parameters
    ----------
    fitted : Fitted
    at : dict, optional
        Predictor -> values: levels of a factor, numbers for a covariate.
    spread : dict, optional
        Values of covariates where neither `at` nor their mean is meant.

    Raises
    ------
    OptionError
        `at` names something that is not a predictor, or a level that does not exist.
    """
    known = predictors(fitted)
    check_known(at or {}, known, "at")
    levels = {name: predictor.levels for name, predictor in known.items()} | dict(spread or {})
    levels |= {name: known[name].at(chosen) for name, chosen in (at or {}).items()}
    rows = prod(len(values) for values in levels.values())
    if rows > _MOST_ROWS:
        sizes = ", ".join(f"{name} ({len(values)})" for name, values in levels.items() if len(values) > 1)
        raise OptionError(f"The reference grid would have {rows:,} rows: {sizes}. Restrict some of them with at=.")
    grid = _lay_out(fitted, levels, known)
    return replace(grid, nesting=_nesting(grid, bool(at)))


def _lay_out(fitted: Fitted, levels: Mapping[str, tuple[Any, ...]], known: Mapping[str, Predictor]) -> Grid:
    layout = Grid(fitted, levels, np.empty((0, 0)), np.empty(0), known)
    rows = prod(layout.shape)
    return Grid(fitted, levels, *encode(fitted, layout.columns(np.arange(rows)), rows), known)


def _nesting(grid: Grid, restricted: bool) -> dict[str, tuple[str, ...]]:
    """Nested factors of a grid, and covariates that stand at several values, as x in ``a/x``.

    Where `at` has `restricted` the levels of factors, the grid of all of them is asked, which says more.
    """
    every = {
        name: predictor.levels if predictor.is_discrete else grid.levels[name]
        for name, predictor in grid.predictors.items()
    }
    names = [name for name, levels in every.items() if len(levels) > 1]
    if len(names) < 2:
        return {}
    determined = np.ones([len(every[name]) for name in names], dtype=bool)
    if grid.fitted.dropped_columns:
        if restricted and determined.size <= _MOST_ROWS:
            grid = _lay_out(grid.fitted, every, grid.predictors)
        elsewhere = tuple(axis for axis, name in enumerate(grid.levels) if name not in names)
        determined = grid.determined.any(axis=elsewhere)
    return find_nesting(names, determined, term_variables(grid.fitted))


def term_variables(fitted: Fitted) -> list[frozenset[str]]:
    """Variables of each term of the fixed part."""
    encoding = fitted.design.encoding
    assert encoding is not None
    parsed = encoding.parsed
    return [
        frozenset(parsed.names[alias] for factor in term.factors for alias in aliases_in(factor.expr))
        for term in encoding.fixed.side.formula
    ]


def encode(fitted: Fitted, columns: Mapping[str, list[Any]], rows: int) -> tuple[np.ndarray, np.ndarray]:
    """X (rows, P) and offset (rows,) of new rows in the encoding of the fit."""
    design = fitted.design
    if not columns:  # an intercept and nothing else
        return np.ones((rows, len(design.x_names))), np.full(rows, _given_offset(design))
    new = design.matrices(pd.DataFrame(columns, index=pd.RangeIndex(rows)), groups=[])
    offset = np.zeros(rows) if new.offset is None else new.offset
    return new.X, offset + _given_offset(design)


def _given_offset(design: Any) -> float:
    """Mean of an offset that was given as values: no column tells it for new rows."""
    given = design.source.offset
    return 0.0 if given is None or isinstance(given, str) else float(np.mean(given))


def check_known(names: Iterable[str], known: Iterable[str], what: str) -> None:
    """Refuse `names` that are not among the `known` predictors."""
    present = list(known)
    for name in names:
        if name not in present:
            near = difflib.get_close_matches(str(name), present, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            listed = ", ".join(map(repr, present)) or "none"
            raise OptionError(f"{what}: {name!r} is not a predictor of the fixed part. Predictors: {listed}.{hint}")
