"""Known relationships among the levels of a factor, as ``relations={"animal": ...}`` gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.relationship import Relationship, from_covariance, relationship
from mixedsparse.core.problem.relationship import nearest as _nearest
from mixedsparse.ground.checks import as_array, shown
from mixedsparse.ground.errors import DataError, OptionError

__all__ = ["Precision", "Relation", "nearest", "read_relations"]

# Eigenvalues that `nearest` raises to, over the largest.
_FLOOR = 1e-6


@dataclass(frozen=True, eq=False)
class Relation:
    """Levels (q,) and the covariance among them."""

    levels: np.ndarray
    relationship: Relationship


class Precision:
    """A relationship by its inverse: the covariance among `levels` is P^-1, times the variance of the effects.

    Parameters
    ----------
    P : array or sparse matrix, shape (q, q)
        Symmetric and positive definite.
    levels : array, shape (q,)
        Label of each row.

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> ms.Precision(np.array([[2.0, -1.0], [-1.0, 2.0]]), ["north", "south"])
    Precision(2 levels)
    """

    def __init__(self, P: Any, levels: Any) -> None:
        self.levels: np.ndarray = as_array(levels, "levels of a precision matrix")
        self.P = P if hasattr(P, "tocsr") else _square(P, "P")
        rows = len(self.P) if isinstance(self.P, np.ndarray) else self.P.shape[0]
        if self.levels.shape != (rows,):
            raise DataError(f"A precision matrix of {rows} rows needs as many levels, not {self.levels.size}.")

    def relationship(self, name: str = "") -> Relationship:
        """Return the covariance among `levels`; errors call it `name`."""
        return relationship(self.P, name)

    def __repr__(self) -> str:
        """Show the number of levels."""
        return f"Precision({len(self.levels)} levels)"


def nearest(K: Any) -> Any:
    """Return the nearest positive definite matrix to a symmetric one, with its labels.

    Eigenvalues below a millionth of the largest are raised to it (Higham 1988, Linear Algebra Appl. 103, 103-118).

    Parameters
    ----------
    K : DataFrame or array, shape (q, q)

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> bool(np.linalg.eigvalsh(ms.nearest(np.ones((3, 3))))[0] > 0)
    True
    """
    values = _square(K, "K")
    if not np.isfinite(values).all():
        raise DataError("K holds numbers that are missing or infinite.")
    found = _nearest(values, _FLOOR)
    return pd.DataFrame(found, index=K.index, columns=K.columns) if isinstance(K, pd.DataFrame) else found


def read_relations(given: Any, wanted: Mapping[str, str]) -> dict[str, Relation]:
    """Relations of a call by the name of their factor.

    Parameters
    ----------
    given : Mapping or None
        As ``relations=`` has them.
    wanted : mapping of str to str
        Factors that stand in ``rel(...)``, and the terms in which they do.

    Raises
    ------
    OptionError, DataError
        A relation is not there, not used, or no relationship.
    """
    relations: Mapping[str, Any] = {} if given is None else given
    for name, text in wanted.items():
        if name not in relations:
            raise OptionError(
                f"{text!r} asks for the relationship of {name!r}, and relations= has "
                f"{'none' if not relations else 'only ' + ', '.join(map(repr, relations))}: give "
                f"relations={{{name!r}: ...}}, an ms.Pedigree, a labelled DataFrame or an ms.Precision."
            )
    for name in relations:
        if name not in wanted:
            raise OptionError(
                f"relations= has {name!r}, but no term of the formula is '(... | rel({name}))': write one, or leave "
                "the relation out."
            )
    return {name: _relation(relations[name], name) for name in wanted}


def _relation(given: Any, name: str) -> Relation:
    if isinstance(given, Relation):
        return given
    if isinstance(given, Precision) or callable(getattr(given, "relationship", None)):  # a Pedigree
        return Relation(_unique(given.levels, name), given.relationship(name))
    if isinstance(given, pd.DataFrame):
        return _labelled(given, name)
    raise OptionError(
        f"relations[{name!r}]={shown(given)} is of type {type(given).__name__}: give an ms.Pedigree(frame), a pandas "
        "DataFrame whose rows and columns have the levels as labels, or an ms.Precision(P, levels)."
    )


def _labelled(K: pd.DataFrame, name: str) -> Relation:
    rows, columns = K.index, K.columns
    if not rows.equals(columns):
        if set(map(str, rows)) != set(map(str, columns)):
            if len(columns) == 3:
                raise DataError(
                    f"relations[{name!r}] is a table of three columns, no matrix of related levels: a pedigree is "
                    "given as ms.Pedigree(frame)."
                )
            raise DataError(
                f"The relationship matrix of {name!r} has other labels in its rows than in its columns: give the "
                "levels as both, pd.DataFrame(K, index=levels, columns=levels)."
            )
        _unique(np.asarray(rows), name)
        places = pd.Index(columns.map(str)).get_indexer(rows.map(str))
        K = K.iloc[:, places]
    values = _square(K, f"The relationship matrix of {name!r}")
    return Relation(_unique(np.asarray(rows), name), from_covariance(values, name, list(rows)))


def _square(K: Any, what: str) -> np.ndarray:
    """Numbers of a square matrix."""
    values = as_array(K, what)
    try:
        if values.dtype.kind not in "biufO":
            raise TypeError
        values = values.astype(float)
    except (TypeError, ValueError) as err:
        raise DataError(f"{what} must hold real numbers.") from err
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not len(values):
        raise DataError(f"{what} must be square, not of shape {values.shape}.")
    return values


def _unique(levels: np.ndarray, name: str) -> np.ndarray:
    index = pd.Index(levels)
    if not index.is_unique:
        raise DataError(f"The relationship of {name!r} has the level {str(index[index.duplicated()][0])!r} twice.")
    return levels
