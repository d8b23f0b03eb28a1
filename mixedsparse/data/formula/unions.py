"""Several columns that name levels of one factor: members of a dyad, schools of a pupil, parents of an animal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mixedsparse.data.formula.kinds import sort_of
from mixedsparse.ground.errors import DataError

__all__ = ["union_of_levels"]


def union_of_levels(
    found: Sequence[tuple[np.ndarray, np.ndarray]], names: Sequence[str]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Codes of columns among the levels of all of them, and these levels.

    Levels come sorted where those of each column do, else in the order in which the columns have them.

    Parameters
    ----------
    found : sequence of (codes, levels)
        Of each column by itself.
    names : sequence of str
        Of the columns.

    Raises
    ------
    DataError
        The columns hold values of different types.
    """
    sorts = [sort_of(np.asarray(levels)) for _, levels in found]
    for name, sort in zip(names, sorts, strict=True):
        if sort is not sorts[0]:
            raise DataError(
                f"{names[0]!r} holds {sorts[0].value}, but {name!r} holds {sort.value}, and both name levels of one "
                "factor: make them of one type."
            )
    every = pd.unique(np.concatenate([np.asarray(levels) for _, levels in found]))
    if all(_is_sorted(levels) for _, levels in found):
        every = np.sort(every)
    index = pd.Index(every)
    return [index.get_indexer(pd.Index(levels))[codes] for codes, levels in found], np.asarray(every)


def _is_sorted(levels: np.ndarray) -> bool:
    try:
        return bool((levels[1:] >= levels[:-1]).all())
    except TypeError:
        return False
