"""Which row of the data a value belongs to that is given beside them: one rule for every labelled thing.

A Series or DataFrame of pandas has a label for each of its values. Where the labels are a permutation of those of the
rows, each value goes to the row of its label; where they are others, it is refused. Order alone decides only where one
side has no labels: an array, a list, polars, pyarrow, or an index that merely counts from 0 beside data without labels.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import DataError

__all__ = ["aligned", "aligned_part", "has_labels", "is_default", "labels_of", "named_columns"]


def is_default(index: pd.Index) -> bool:
    """Whether an index only counts from 0, as every pandas object has it that got none."""
    return isinstance(index, pd.RangeIndex) and index.equals(pd.RangeIndex(len(index)))


def has_labels(value: Any) -> bool:
    """Whether `value` is a pandas object with an index of its own."""
    return isinstance(value, pd.Series | pd.DataFrame) and not is_default(value.index)


def labels_of(*values: Any) -> pd.Index | None:
    """Labels of the rows that several things describe: of the first one that has any."""
    return next((value.index for value in values if isinstance(value, pd.Series | pd.DataFrame)), None)


def aligned(value: Any, index: pd.Index | None, what: str) -> Any:
    """`value` in the order of rows labelled by `index`.

    Parameters
    ----------
    value : object
        A Series or DataFrame is aligned; anything else has no labels and is returned as it is. So is one of another
        length, whose shape the caller refuses.
    index : pandas.Index, or None
        None: the rows have no labels.
    what : str
        Names the value in messages.

    Raises
    ------
    DataError
        The labels are others than those of the rows, or cannot tell which value belongs to which row.

    Examples
    --------
    >>> weights = pd.Series([1.0, 2.0, 3.0], index=["c", "a", "b"])
    >>> aligned(weights, pd.Index(["a", "b", "c"]), "weights").tolist()
    [2.0, 3.0, 1.0]
    """
    if not isinstance(value, pd.Series | pd.DataFrame):
        return value
    labels = value.index
    if index is None:
        if not is_default(labels) and not labels.equals(pd.RangeIndex(len(labels))):
            raise DataError(
                f"The index of {what} is its own, but the rows of the data have no labels: put it in the order of the "
                "rows and give its values, .to_numpy(), or make it a column of the data."
            )
        return value
    if labels is index or len(labels) != len(index) or labels.equals(index):
        return value
    if not (labels.is_unique and index.is_unique):
        raise DataError(
            f"The index of {what} is not that of the data, and labels occur several times, so that they do not tell "
            "which value belongs to which row: give values in the order of the rows, .to_numpy(), or a column."
        )
    order = labels.get_indexer(index)
    if (order < 0).any():
        raise DataError(
            f"The index of {what} is not that of the data: it has no label {_shown(index[order < 0])}. Give it on the "
            "index of the data, or as values in the order of the rows, .to_numpy()."
        )
    return value.iloc[order]


def aligned_part(value: Any, index: pd.Index, what: str) -> Any:
    """As `aligned`, for values that may have further rows: those that were left out of the data."""
    if isinstance(value, pd.Series | pd.DataFrame) and len(value) > len(index) and value.index.is_unique:
        kept = value.index.isin(index)
        value = value[kept] if kept.sum() == len(index) else value
    return aligned(value, index, what)


def named_columns(values: pd.DataFrame | pd.Series) -> Sequence[Hashable] | None:
    """Names of the columns of a table, or of the values of a Series; None where they only count from 0."""
    names = values.columns if isinstance(values, pd.DataFrame) else values.index
    return None if is_default(names) else names.tolist()


def _shown(labels: pd.Index) -> str:
    first = labels[0]
    more = f" (nor {len(labels) - 1} more)" if len(labels) > 1 else ""
    return f"{first.item() if isinstance(first, np.generic) else first!r}{more}"
