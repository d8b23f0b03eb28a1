"""Rows that are equal in all that is given of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["agreeing_rows"]

# Share of the rows that may be left for it to be worth while to join them.
_SHARE = 0.5


def agreeing_rows(arrays: Sequence[np.ndarray], pairs: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the number of each row among those that differ, (n,), and the first row of each; None unless many agree.

    Parameters
    ----------
    arrays : sequence of ndarray (n, ...)
        What rows have to agree in.
    pairs : int
        Pairs of levels that occur: rows that differ at least.
    """
    n = len(arrays[0])
    if pairs > _SHARE * n:
        return None
    columns = [array.reshape(n, -1).T for array in arrays]
    rng = np.random.default_rng(0)
    key = np.zeros(n)  # a random combination of the columns
    for own in columns:
        for column in own:
            key += rng.normal() * column
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    if len(first) > _SHARE * n or not all((c == c[first][inverse]).all() for own in columns for c in own):
        return None
    return inverse, first
