"""Random-effects terms, and the place of their parameters in theta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from mixedsparse.core.problem.absent_rows import ELSEWHERE, are_here
from mixedsparse.core.problem.relationship import Relationship, relationship
from mixedsparse.core.problem.slots import is_list_of_columns, pairs_of_slots, row_variances, stacked
from mixedsparse.core.structures.interface import Structure
from mixedsparse.core.structures.kinds import US, Kind
from mixedsparse.ground.checks import KINDS, as_array, shown
from mixedsparse.ground.errors import DataError

__all__ = ["RandomTerm", "ThetaLayout", "row_labels", "theta_order"]


@dataclass(frozen=True, slots=True, eq=False)
class RandomTerm:
    """One random-effects term ``(z | group)`` as arrays.

    Parameters
    ----------
    group : str
        Name of the grouping factor, ``"Subject"`` or ``"a:b"``.
    codes : ndarray of int, shape (n,)
        Level of each row, ``0 .. n_levels - 1``; every level must occur, unless `precision` is given. A list of such
        arrays, one per slot, where rows belong to several levels at once; they are kept as (n, slots).
    z : ndarray, shape (n, k)
        Basis of the term: one column per random effect (all ones for an intercept). A list of them where `codes` is
        one, kept as (n, slots, k): a row has the sum over its slots.
    columns : tuple of str, length k
        Names of the effects; ``("Intercept",)`` and so on when not given.
    levels : ndarray, shape (n_levels,)
        Labels of the levels; ``0 .. n_levels - 1`` when not given.
    rows : Index, optional
        Labels of the rows; those of `codes` and `z` where these are pandas objects.
    covariance : Structure or Kind, optional
        Of the effects of a level, such as ``ms.cov.CS()``; none, the default, leaves it unstructured. The term has it
        as the structure of its k effects.
    precision : array or sparse matrix, shape (n_levels, n_levels), optional
        P, symmetric and positive definite: an effect has the covariance P^-1 among levels, times its variance. Levels
        are independent by default.

    Raises
    ------
    DataError
        The shapes of `codes`, `z`, `columns` and `levels` do not agree, or a code is negative or does not occur.

    Examples
    --------
    >>> import numpy as np
    >>> term = RandomTerm("g", np.array([0, 0, 1, 1]), np.ones((4, 1)))
    >>> term.n_levels, term.k, term.n_theta
    (2, 1, 1)
    """

    group: str
    codes: np.ndarray
    z: np.ndarray
    columns: tuple[str, ...] = ()
    levels: np.ndarray = field(default_factory=lambda: np.empty(0))
    rows: Any = field(default=None, repr=False)
    covariance: Structure | Kind | None = None
    precision: Relationship | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        rows = row_labels(self.codes)
        KINDS["RandomTerm.group"].check("group", self.group)
        KINDS["x_names"].check("columns", self.columns)
        several = is_list_of_columns(self.codes)
        z = _real(stacked(self.z, 2) if several else _in_order(self.z, rows, self.group), self.group)
        codes = as_array(stacked(self.codes, 1) if several else self.codes, f"Random term on {self.group!r}: codes")
        if codes.ndim == 2 and codes.shape[1] == 1 and z.ndim == 3:
            codes, z = codes[:, 0], z[:, 0]
        if codes.ndim not in (1, 2) or z.ndim != codes.ndim + 1 or z.shape[: codes.ndim] != codes.shape:
            raise DataError(
                f"Random term on {self.group!r}: codes {codes.shape} and z {z.shape} must have one row per observation."
            )
        if codes.dtype.kind not in "iu":
            raise DataError(f"Random term on {self.group!r}: codes must be integers, not {codes.dtype}.")
        if len(codes) and codes.min() < 0:
            raise DataError(f"Random term on {self.group!r}: codes must not be negative (drop missing levels first).")
        names = (self.columns,) if isinstance(self.columns, str) else tuple(self.columns)
        columns = names or _default_columns(z.shape[-1])
        precision = None if self.precision is None else relationship(self.precision, self.group)
        if not hasattr(self.levels, "__len__") or as_array(self.levels, "levels").ndim != 1:
            raise DataError(f"Random term on {self.group!r}: levels must be one label per level, in a list.")
        n_levels = len(self.levels) or (int(codes.max()) + 1 if len(codes) else 0)
        if precision is not None:
            n_levels = len(self.levels) or precision.n_levels
            if n_levels != precision.n_levels:
                raise DataError(
                    f"Random term on {self.group!r}: a precision matrix of {precision.n_levels} levels, but {n_levels} "
                    "labels of levels."
                )
        levels = np.asarray(self.levels) if len(self.levels) else np.arange(n_levels)
        if len(columns) != z.shape[-1]:
            raise DataError(f"Random term on {self.group!r}: {z.shape[-1]} columns of z but {len(columns)} names.")
        structure = _structure(self.covariance, z.shape[-1], self.group)
        if len(codes) and codes.max() >= n_levels:
            raise DataError(f"Random term on {self.group!r}: code {codes.max()} but only {n_levels} levels.")
        if len(codes) and precision is None and np.bincount(codes.ravel(), minlength=n_levels).min() == 0:
            raise DataError(
                f"Random term on {self.group!r}: some of the {n_levels} levels do not occur; number those that do "
                "without gaps, e.g. by np.unique(codes, return_inverse=True)."
            )
        if self.rows is None:
            object.__setattr__(self, "rows", row_labels(self.z) if rows is None else rows)
        object.__setattr__(self, "z", z)
        object.__setattr__(self, "codes", codes.astype(np.intp, copy=False))
        object.__setattr__(self, "columns", columns)
        object.__setattr__(self, "levels", levels)
        object.__setattr__(self, "covariance", structure)
        object.__setattr__(self, "precision", precision)

    @classmethod
    def without_rows(
        cls, group: str, columns: tuple[str, ...], levels: np.ndarray, precision: Relationship | None = None
    ) -> RandomTerm:
        """Make a term whose rows are not in memory: `codes` and `z` raise RowsElsewhereError when they are used."""
        term = object.__new__(cls)
        values = {
            "group": group,
            "codes": ELSEWHERE,
            "z": ELSEWHERE,
            "columns": columns,
            "levels": levels,
            "rows": None,
            "covariance": None,
            "precision": precision,
        }
        for name, value in values.items():
            object.__setattr__(term, name, value)
        return term

    @property
    def structure(self) -> Structure | None:
        """Structure of the covariance of the effects; None where it is any."""
        found: Any = self.covariance
        return found

    @property
    def n_levels(self) -> int:
        """Number of levels of the grouping factor."""
        return len(self.levels)

    @property
    def k(self) -> int:
        """Number of random effects per level."""
        return len(self.columns)

    @property
    def n_theta(self) -> int:
        """Number of entries of the lower triangle."""
        return self.k * (self.k + 1) // 2

    @property
    def is_plain(self) -> bool:
        """Whether every row has one level, and levels are independent."""
        return self.precision is None and (not are_here(self.codes) or self.codes.ndim == 1)

    @property
    def moment(self) -> np.ndarray:
        """Mean over the rows of z'K z, (k, k), K the covariance among the levels of a row over that of one level."""
        out = np.zeros((self.k, self.k))
        for left, right, shared in pairs_of_slots(self.codes, self.z, self.precision):
            both = left.T @ (right if shared is None else right * shared[:, None])
            out += both if left is right else both + both.T
        return out / len(self.z)

    def variances(self, lam: np.ndarray) -> np.ndarray:
        """Variance z'(K x Lambda Lambda')z that the effects give each row, (n,)."""
        return row_variances(self.codes, self.z, lam, self.precision)


def _structure(covariance: Any, k: int, group: str) -> Structure | None:
    """Structure of `k` effects that `covariance` asks for; None where it is any."""
    if covariance is None or isinstance(covariance, US):
        return None
    found = covariance.of(k) if isinstance(covariance, Kind) else covariance
    if not callable(getattr(found, "slopes", None)):
        raise DataError(
            f"Random term on {group!r}: covariance={shown(covariance)} is no covariance: give one of ms.cov, such as "
            "ms.cov.CS()."
        )
    if found.k != k:
        raise DataError(f"Random term on {group!r}: {k} columns of z, but a structure of {found.k} effects.")
    return found


def row_labels(values: Any) -> Any:
    """Index of a pandas object, known by what it can do; None for anything else."""
    index = getattr(values, "index", None)
    return index if hasattr(index, "get_indexer") else None


def _in_order(z: Any, rows: Any, group: str) -> Any:
    """Put `z` in the order of the labels `rows` of the codes."""
    labels = row_labels(z)
    if rows is None or labels is None or len(labels) != len(rows) or labels.equals(rows):
        return z
    order = labels.get_indexer(rows) if labels.is_unique and rows.is_unique else np.array([-1])
    if (order < 0).any():
        raise DataError(f"Random term on {group!r}: codes and z have different labels: give both on one index.")
    return z.iloc[order]


def _real(z: Any, group: str) -> np.ndarray:
    """Matrix `z` (n, k) as float64; dates and complex numbers, which NumPy would convert, are no numbers."""
    array = as_array(z, f"Random term on {group!r}: z")
    try:
        if array.dtype.kind not in "biufO":
            raise TypeError
        array = array.astype(float, copy=False)
    except (TypeError, ValueError) as err:
        raise DataError(f"Random term on {group!r}: z must hold real numbers, not {array.dtype}.") from err
    return array[:, None] if array.ndim == 1 else array


def _default_columns(k: int) -> tuple[str, ...]:
    return ("Intercept",) if k == 1 else tuple(f"z{i}" for i in range(k))


def theta_order(terms: Sequence[RandomTerm]) -> list[int]:
    """Positions of `terms` in theta: by decreasing number of levels, ties in formula order."""
    return sorted(range(len(terms)), key=lambda i: -terms[i].n_levels)


@dataclass(frozen=True, slots=True)
class ThetaLayout:
    """Where each entry of theta stands: term, row and column of that term's lower triangle.

    Theta stacks the lower triangles column by column (lme4's order), terms as they are given.
    """

    widths: tuple[int, ...]
    term: np.ndarray
    row: np.ndarray
    col: np.ndarray

    @classmethod
    def of(cls, terms: Sequence[RandomTerm]) -> ThetaLayout:
        """Layout of `terms`, already in theta order."""
        return _layout(tuple(t.k for t in terms))

    @classmethod
    def of_widths(cls, widths: tuple[int, ...]) -> ThetaLayout:
        """Layout of terms of so many effects."""
        return _layout(widths)

    @property
    def size(self) -> int:
        """Length of theta."""
        return len(self.term)

    @property
    def is_diagonal(self) -> np.ndarray:
        """Mask of the entries on a diagonal, shape (m,)."""
        return self.row == self.col

    def templates(self, theta: np.ndarray) -> list[np.ndarray]:
        """Lower triangles Lambda_t, one (k, k) array per term."""
        out = [np.zeros((k, k)) for k in self.widths]
        for value, t, r, c in zip(theta, self.term, self.row, self.col, strict=True):
            out[t][r, c] = value
        return out

    def flatten(self, templates: Sequence[np.ndarray]) -> np.ndarray:
        """Theta (m,) of the lower triangles `templates`."""
        return np.array([templates[t][r, c] for t, r, c in zip(self.term, self.row, self.col, strict=True)])


@lru_cache(maxsize=256)
def _layout(widths: tuple[int, ...]) -> ThetaLayout:
    pieces = [np.triu_indices(k) for k in widths]
    term = np.repeat(np.arange(len(widths)), [len(p[0]) for p in pieces])
    row, col = (np.concatenate([p[i] for p in pieces] or [term]) for i in (1, 0))
    for array in (term, row, col):
        array.flags.writeable = False
    return ThetaLayout(widths, term, row, col)
