"""Rows by group: sums over groups, and the order in which the rows of a group stand together."""

from __future__ import annotations

import numpy as np

__all__ = ["Grouped", "numbered"]


class Grouped:
    """Groups numbered without gaps.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Rows by group, and by `within` inside a group.
    starts : ndarray of int, shape (groups,)
        Where each group starts in `order`.
    counts : ndarray of int, shape (groups,)
    """

    def __init__(self, groups: np.ndarray, within: np.ndarray | None = None) -> None:
        self.order = np.argsort(groups, kind="stable") if within is None else np.lexsort((within, groups))
        self.counts = np.bincount(groups)
        self.starts = np.concatenate([[0], np.cumsum(self.counts)[:-1]])
        self.is_sorted = bool((np.diff(self.order) > 0).all())
        self.back = np.empty_like(self.order)
        self.back[self.order] = np.arange(len(self.order))

    def sorted(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n, ...) in this order."""
        return rows if self.is_sorted else rows[self.order]

    def unsorted(self, rows: np.ndarray) -> np.ndarray:
        """Rows (n, ...) in the order of the data again."""
        return rows if self.is_sorted else rows[self.back]

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of rows of one group, (pairs,) twice, the first of each before the second in this order."""
        place = np.arange(len(self.order))
        before = place - np.repeat(self.starts, self.counts)
        second = np.repeat(place, before)
        first = np.arange(len(second)) - np.repeat(np.cumsum(before) - before, before) + (second - before[second])
        return self.order[first], self.order[second]

    def sums(self, columns: np.ndarray) -> np.ndarray:
        """Sum columns (n, r) over each group, (groups, r)."""
        return np.asarray(np.add.reduceat(self.sorted(columns), self.starts, axis=0))


def numbered(codes: np.ndarray) -> np.ndarray:
    """Codes (n,) without gaps, in their order."""
    return np.unique(codes, return_inverse=True)[1]
