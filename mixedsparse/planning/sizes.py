"""A design with more or fewer levels of a grouping factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import ColumnError

__all__ = ["resize"]


def resize(data: pd.DataFrame, factor: str, size: int, others: Sequence[str] = ()) -> pd.DataFrame:
    """Give `factor` another number of levels.

    Parameters
    ----------
    data : DataFrame
    factor : str
    size : int
        Levels wanted. The first levels are kept, in the order in which they appear; beyond those that there are, they
        are copied in turn with all their rows, under new names.
    others : sequence of str
        Further grouping factors: the levels of one that is nested in `factor` get new names in a copy.

    Returns
    -------
    DataFrame
        Rows level by level, numbered from 0.

    Raises
    ------
    ColumnError
        `factor` is not in the data.

    Notes
    -----
    Idea: ``extend`` of the R package simr (Green & MacLeod 2016, Methods Ecol. Evol. 7, 493-498).

    Examples
    --------
    >>> import mixedsparse as ms
    >>> data = ms.datasets.load("sleepstudy")
    >>> resize(data, "Subject", 40)["Subject"].nunique()
    40
    """
    if factor not in data.columns:
        raise ColumnError.missing([factor], data.columns, "the sizes of the design")
    codes, levels = pd.factorize(data[factor])
    rows_of = np.split(np.argsort(codes, kind="stable"), np.searchsorted(np.sort(codes), np.arange(len(levels) + 1)))
    rows_of = rows_of[1:-1]  # before the first level stand the rows in which it is missing
    wanted = np.arange(size)
    rows = np.concatenate([rows_of[i % len(levels)] for i in wanted])
    copy = np.repeat(wanted // len(levels), [len(rows_of[i % len(levels)]) for i in wanted])
    out = data.iloc[rows].reset_index(drop=True)
    nested = [other for other in others if data.groupby(other, observed=True)[factor].nunique().max() == 1]
    for column in {factor, *nested}:
        out[column] = _renamed(out[column], copy)
    return out


def _renamed(labels: pd.Series, copy: np.ndarray) -> pd.Series:
    """Labels as text, with the number of the copy behind those of copies."""
    text = labels.astype(str)
    return text.where(copy == 0, text + "." + pd.Series(copy.astype(str), index=labels.index))
