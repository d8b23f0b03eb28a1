"""Contrasts: the numbers that stand for the levels of a factor, equal to R's ``contr.*``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mixedsparse.errors import DataError, OptionError

__all__ = ["Coding", "Contrast", "read_contrasts"]

_MARKS = {"treatment": "T.", "sum": "S.", "helmert": "H.", "poly": "", "custom": ""}
_POLY_NAMES = {1: ".L", 2: ".Q", 3: ".C"}
# A contrast matrix counts as singular below this ratio of its extreme singular values.
_RANK_TOL = 1e-10


@dataclass(frozen=True, slots=True)
class Contrast:
    """What a user asked for: a kind by name, or `rows` of a matrix of one's own (kind ``custom``)."""

    kind: str = "treatment"
    rows: tuple[tuple[float, ...], ...] | None = None


def read_contrasts(contrasts: Mapping[str, Any] | None) -> dict[str, Contrast]:
    """Check the user's ``{"column": name or array}``.

    Raises
    ------
    OptionError
        A name is not known, or an array is not a finite matrix.
    """
    return {column: _read_contrast(column, value) for column, value in (contrasts or {}).items()}


def _read_contrast(column: str, value: Any) -> Contrast:
    if isinstance(value, str):
        kind = value.removeprefix("contr.")
        if kind not in _MARKS or kind == "custom":
            known = ", ".join(repr(k) for k in _MARKS if k != "custom")
            raise OptionError(f"contrasts[{column!r}] = {value!r} is not known: use one of {known}, or an array.")
        return Contrast(kind)
    try:
        matrix = np.asarray(value, dtype=float)
    except (TypeError, ValueError) as err:
        raise OptionError(f"contrasts[{column!r}] is neither a name nor an array of numbers: {value!r}.") from err
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise OptionError(
            f"contrasts[{column!r}] must be a finite array with one row per level, not one of shape {matrix.shape}."
        )
    return Contrast("custom", tuple(map(tuple, matrix.tolist())))


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
    """

    levels: tuple[Hashable, ...]
    contrast: Contrast

    def labels(self, reduced: bool) -> list[str]:
        """Label of each column, ``"T.b"`` or ``"b"``."""
        kind, levels = self.contrast.kind, self.levels
        if not reduced:
            return [str(level) for level in levels]
        if kind == "poly":
            return [_POLY_NAMES.get(i, f"^{i}") for i in range(1, len(levels))]
        if kind == "custom":
            return [str(i) for i in range(1, len(levels))]
        return [f"{_MARKS[kind]}{level}" for level in (levels[:-1] if kind == "sum" else levels[1:])]

    def column(self, codes: np.ndarray, reduced: bool, j: int) -> np.ndarray:
        """Column `j` of the coded factor, shape (n,)."""
        if not reduced:
            return (codes == j).astype(float)
        if self.contrast.kind == "treatment":
            return (codes == j + 1).astype(float)
        return _matrix(self)[:, j][codes]

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


@lru_cache(maxsize=64)
def _matrix(coding: Coding) -> np.ndarray:
    """Contrast matrix (levels, levels - 1) of every kind but treatment, whose columns are mere indicators."""
    n, kind = len(coding.levels), coding.contrast.kind
    if kind == "custom":
        return np.array(coding.contrast.rows)
    if kind == "sum":
        return np.vstack([np.eye(n - 1), -np.ones((1, n - 1))])
    if kind == "helmert":
        below = np.tril(np.ones((n, n - 1)), -1)  # 1 from the row after the diagonal on
        return np.where(np.eye(n, n - 1, k=-1) > 0, np.arange(1, n), below - 1.0)
    return _polynomials(n)


def _polynomials(n: int) -> np.ndarray:
    """Orthonormal polynomials (n, n - 1) on equidistant scores, leading coefficients positive, as R's contr.poly."""
    # Legendre polynomials are nearly orthogonal on the grid already: QR of them stays accurate where powers do not.
    basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, n), n - 1)
    Q, R = np.linalg.qr(basis)
    return (Q * np.sign(np.diag(R)))[:, 1:]
