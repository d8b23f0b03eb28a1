"""Contrasts: the numbers that stand for the levels of a factor, equal to R's ``contr.*``."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.contrast_matrices import contrast_matrix
from mixedsparse.data.formula.frames import column_error
from mixedsparse.data.formula.hypotheses import Hypotheses, hypotheses
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ArgumentError, DataError, OptionError, UnusedOptionWarning

__all__ = ["Coding", "Contrast", "check_used", "make_coding", "read_contrasts"]

_MARKS = {"treatment": "T.", "sum": "S.", "helmert": "H.", "poly": "", "sdif": "", "custom": ""}
# Other names of kinds, and kinds that may have a level beside them: the reference, or the one without a column.
_SPELLINGS = {"diff": "sdif", "SAS": "treatment"}
_WITH_LEVEL = ("treatment", "sum")
_LAST = object()
_POLY_NAMES = {1: ".L", 2: ".Q", 3: ".C"}
# A contrast matrix counts as singular below this ratio of its extreme singular values.
_RANK_TOL = 1e-10
# A key such as "C(a)" where the name of the column is meant.
_CALL = re.compile(r"(?:C|factor|as\.factor)\(\s*`?([^`,()]+?)`?\s*[,)].*")


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a user asked for: a kind by name, or `rows` of a matrix of one's own (kind ``custom``).

    A labelled table also says which level each of its rows is for, and what its columns are called. `base` is the
    reference level of treatment contrasts, the level without a column of sum contrasts; `about` are hypotheses, from
    which the rows follow once the levels are known.
    """

    kind: str = "treatment"
    rows: tuple[tuple[float, ...], ...] | None = None
    levels: tuple[Hashable, ...] | None = None
    names: tuple[str, ...] | None = None
    base: Hashable | None = None
    about: Hypotheses | None = None


def read_contrasts(contrasts: Mapping[str, Any] | None) -> dict[str, Contrast]:
    """Check the user's ``{"column": name or array or table}``.

    Raises
    ------
    ArgumentError
        It is no dict.
    OptionError
        A name is not known, or an array is not a finite matrix.
    """
    if contrasts is None:
        return {}
    if not isinstance(contrasts, Mapping):
        example = contrasts if isinstance(contrasts, str) else "sum"
        raise ArgumentError(
            f"contrasts is of type {type(contrasts).__name__}, not a dict: write contrasts={{'column': {example!r}}}, "
            "a column of the data -> 'treatment', 'sum', 'helmert', 'poly', 'sdif', or an array with a row per level."
        )
    return {str(column): _read_contrast(str(column), value) for column, value in contrasts.items()}


def check_used(contrasts: Mapping[str, Contrast], present: Collection[str], factors: Mapping[str, str | None]) -> None:
    """Refuse contrasts that would change nothing, or that the formula contradicts.

    A model without any term, the smallest one of a comparison, gets the options of the others: a warning serves there.

    Parameters
    ----------
    contrasts : Mapping
        By column.
    present : collection of str
        Columns of the data.
    factors : Mapping
        Column of each term, on the fixed side and left of the bars -> the call in which the formula codes it, or None.

    Raises
    ------
    ColumnError, OptionError
        The message says what to write.

    Warns
    -----
    UnusedOptionWarning
        The formula has no term that contrasts could be for.
    """
    for column in contrasts:
        if column not in present:
            call = _CALL.fullmatch(column)
            if call and call[1] in present:
                raise OptionError(f"contrasts[{column!r}]: the key is the name of the column, write {call[1]!r}.")
            raise column_error([column], present, "contrasts")
        if not factors:
            warnings.warn(
                f"contrasts[{column!r}] changes nothing: the formula has no term that could have contrasts.",
                UnusedOptionWarning,
                stacklevel=user_level(),
            )
            continue
        if column not in factors:
            raise OptionError(
                f"contrasts[{column!r}] would change nothing: {column!r} is no term, alone or as C({column}), of the "
                f"fixed part or left of a bar. Leave it out; the columns that may have contrasts are "
                f"{', '.join(map(repr, factors))}."
            )
        if call := factors[column]:
            raise OptionError(
                f"contrasts[{column!r}] and {call!r} in the formula both say how {column!r} is coded: leave out one of "
                f"them, e.g. write C({column}) in the formula."
            )


def _read_contrast(column: str, value: Any) -> Contrast:
    if isinstance(value, str):
        return _named(column, value, value)
    if isinstance(value, Mapping):
        value = hypotheses(value)
    if isinstance(value, Hypotheses):
        return Contrast("custom", about=value)
    if isinstance(value, tuple | list) and len(value) == 2 and isinstance(value[0], str):
        found = _named(column, value[0], value)
        if found.kind not in _WITH_LEVEL or value[0].removeprefix("contr.") == "SAS":
            raise OptionError(f"contrasts[{column!r}] = {value!r}: a level stands beside 'treatment' and 'sum' only.")
        return replace(found, base=value[1])
    labelled = isinstance(value, pd.Series | pd.DataFrame)
    table = value.to_frame(value.name or 0) if isinstance(value, pd.Series) else value
    try:
        matrix = np.asarray(table, dtype=float)
    except (TypeError, ValueError) as err:
        raise OptionError(f"contrasts[{column!r}] is neither a name nor an array of numbers: {value!r}.") from err
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise OptionError(
            f"contrasts[{column!r}] must be a finite array with one row per level, not one of shape {matrix.shape}."
        )
    contrast = Contrast("custom", tuple(map(tuple, matrix.tolist())))
    if not labelled:
        return contrast
    for what, labels in (("rows", table.index), ("columns", table.columns)):
        if not labels.is_unique:
            raise OptionError(f"contrasts[{column!r}] has several {what} called {labels[labels.duplicated()][0]!r}.")
    return replace(
        contrast,
        levels=tuple(table.index),
        names=None if isinstance(table.columns, pd.RangeIndex) else tuple(map(str, table.columns)),
    )


def _named(column: str, kind: str, given: Any) -> Contrast:
    """Contrasts of a kind; those of SAS have the last level as reference."""
    bare = kind.removeprefix("contr.")
    found = _SPELLINGS.get(bare, bare)
    if found not in _MARKS or found == "custom":
        known = ", ".join(repr(k) for k in _MARKS if k != "custom")
        raise OptionError(
            f"contrasts[{column!r}] = {given!r} is not known: use one of {known}, ('treatment', level), an array, "
            "hypotheses {'b-a': 'b - a'}, or 'center' and 'zscore' for numbers."
        )
    return Contrast(found, base=_LAST) if bare == "SAS" else Contrast(found)


def make_coding(column: str, levels: Sequence[Hashable], contrast: Contrast) -> Coding:
    """Coding of the factor in `column` with these `levels`; rows of a labelled table go to the levels they name.

    Raises
    ------
    DataError
        The factor has fewer than two levels, or the contrasts do not suit them.
    """
    levels = tuple(levels)
    if len(levels) > 1 and contrast.about is not None:
        made = contrast.about.matrix(levels, column)
        contrast = Contrast("custom", tuple(map(tuple, made.to_numpy().tolist())), names=tuple(made.columns))
    if contrast.base is not None and levels:
        contrast = replace(contrast, base=_base(column, levels, contrast.base))
    if contrast.levels is not None:
        contrast = _aligned(column, levels, contrast)
    coding = Coding(levels, contrast)
    coding.check(column)
    return coding


def _base(column: str, levels: tuple[Hashable, ...], base: Hashable) -> Hashable:
    """Level that `base` names, as it is, or else as text."""
    if base is _LAST:
        return levels[-1]
    for level in levels:
        if level == base or str(level) == str(base):
            return level
    raise DataError(f"contrasts[{column!r}]: there is no level {base!r} in the rows used, but {list(levels)!r}.")


def _aligned(column: str, levels: tuple[Hashable, ...], contrast: Contrast) -> Contrast:
    """Put the rows of a labelled table in the order of `levels`, by label: as they are, or else as text."""
    assert contrast.rows is not None
    assert contrast.levels is not None
    rows = contrast.levels
    for read in (lambda label: label, str):
        place = {read(label): i for i, label in enumerate(rows)}
        order = [place.get(read(level), -1) for level in levels]
        if len(rows) == len(levels) and sorted(order) == list(range(len(rows))):
            return replace(contrast, rows=tuple(contrast.rows[i] for i in order), levels=None)
    if rows == tuple(range(len(rows))):  # the default index: no labels
        return replace(contrast, levels=None)
    raise DataError(
        f"The rows of contrasts[{column!r}] are labelled {list(rows)!r}, but the levels of {column!r} in the rows used "
        f"are {list(levels)!r}: give one row per level, labelled by it."
    )


@dataclass(frozen=True, slots=True)
class Coding:
    """Contrasts of one factor with known `levels`, used for training and for new data alike.

    Parameters
    ----------
    levels : tuple
        Levels that occur, in order.
    contrast : Contrast
        How the levels are coded where the model has an intercept or main effect (`reduced`); elsewhere each level
        has its own column, as in R.
    ordered : bool
        Whether the categories are ordered, and nobody said how they are coded.
    """

    levels: tuple[Hashable, ...]
    contrast: Contrast
    ordered: bool = False

    def labels(self, reduced: bool) -> list[str]:
        """Label of each column, ``"T.b"`` or ``"b"``."""
        kind, levels = self.contrast.kind, self.levels
        if not reduced:
            return [str(level) for level in levels]
        if kind == "sdif":
            return [f"{level}-{before}" for before, level in itertools.pairwise(levels)]
        if kind == "poly":
            return [_POLY_NAMES.get(i, f"^{i}") for i in range(1, len(levels))]
        if kind == "custom":
            return list(self.contrast.names or map(str, range(1, len(levels))))
        return [f"{_MARKS[kind]}{level}" for i, level in enumerate(levels) if i != self.base]

    @property
    def base(self) -> int:
        """Place of the level without a column of its own."""
        if self.contrast.base is not None:
            return self.levels.index(self.contrast.base)
        return len(self.levels) - 1 if self.contrast.kind == "sum" else 0

    def column(self, codes: np.ndarray, reduced: bool, j: int) -> np.ndarray:
        """Column `j` of the coded factor, shape (n,)."""
        if not reduced:
            return (codes == j).astype(float)
        if self.contrast.kind == "treatment":
            return (codes == j + (j >= self.base)).astype(float)
        rows = self.contrast.rows
        matrix = contrast_matrix(self.contrast.kind, len(self.levels), self.base) if rows is None else np.array(rows)
        return matrix[:, j][codes]

    def check(self, column: str) -> None:
        """Raise DataError when a factor in `column` cannot have these contrasts."""
        n = len(self.levels)
        if n < 2:
            what = f"the one level {self.levels[0]!r}" if n else "no level"
            raise DataError(f"The factor {column!r} has {what} in the rows used, so it has no effect: remove it.")
        if self.contrast.rows is not None:
            shape = (len(self.contrast.rows), len(self.contrast.rows[0]))
            if shape != (n, n - 1):
                raise DataError(
                    f"contrasts[{column!r}] has shape {shape}, but {column!r} has {n} levels in the rows used, "
                    f"{list(self.levels)!r}: give an array of shape {(n, n - 1)}."
                )
            values = np.linalg.svd(np.column_stack([np.ones(n), self.contrast.rows]), compute_uv=False)
            if values[-1] < _RANK_TOL * values[0]:
                raise DataError(
                    f"The columns of contrasts[{column!r}] and the intercept are linearly dependent: "
                    "give independent contrasts."
                )
