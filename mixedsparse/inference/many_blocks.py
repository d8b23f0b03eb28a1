"""Tasks of many responses, and blocks of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

__all__ = ["NONE", "Contrasts", "ManyBlock", "Task"]

# Verdict on a response without a fit.
NONE = "no fit"


class Task(NamedTuple):
    """Numbers of responses, what they are called, and their values (n, b) in the rows of the design."""

    numbers: np.ndarray
    labels: Sequence[str]
    values: np.ndarray

    def take(self, at: np.ndarray, rows: np.ndarray | slice = slice(None)) -> Task:
        """Responses at the places `at`, some rows of them."""
        return Task(self.numbers[at], [self.labels[i] for i in at.tolist()], self.values[:, at][rows])


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Linear functions L beta - rhs of the coefficients called `names`: L (c, p), rhs (c,)."""

    L: np.ndarray
    rhs: np.ndarray
    names: tuple[str, ...]

    def of(self, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """L for the coefficients `names`, and the mask (c,) of the rows that need no others."""
        L = np.zeros((len(self.L), len(names)))
        known = np.ones(len(self.L), dtype=bool)
        for column, name in zip(self.L.T, self.names, strict=True):
            if name in names:
                L[:, list(names).index(name)] = column
            else:
                known &= column == 0.0
        return L, known


@dataclass(frozen=True, slots=True, eq=False)
class ManyBlock:
    """Results of b responses; NaN where there is no fit, for the reason in `failures`, by number of the response.

    Attributes
    ----------
    numbers : ndarray of int, shape (b,)
    estimate, se, df, statistic, p : ndarray, shape (b, c)
        Of each linear function.
    components : ndarray, shape (b, k)
        Standard deviations, correlations and sigma, called `names`.
    criterion : ndarray, shape (b,)
    nobs : ndarray of int, shape (b,)
    verdict : ndarray of str, shape (b,)
    failures : dict number -> str
    names : tuple of str
    """

    numbers: np.ndarray
    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    statistic: np.ndarray
    p: np.ndarray
    components: np.ndarray
    criterion: np.ndarray
    nobs: np.ndarray
    verdict: np.ndarray
    failures: dict[int, str]
    names: tuple[str, ...]

    @classmethod
    def empty(cls, numbers: np.ndarray, contrasts: int, names: tuple[str, ...]) -> ManyBlock:
        """Nothing of the responses `numbers` yet."""
        b = len(numbers)
        tests = [np.full((b, contrasts), np.nan) for _ in range(5)]
        verdict = np.full(b, NONE, dtype=object)
        rest = (np.full((b, len(names)), np.nan), np.full(b, np.nan), np.zeros(b, dtype=int), verdict)
        return cls(numbers, *tests, *rest, {}, names)

    def put(self, at: np.ndarray, other: ManyBlock) -> None:
        """Write the results `other` at the places `at`."""
        for name in ("estimate", "se", "df", "statistic", "p", "criterion", "nobs", "verdict"):
            getattr(self, name)[at] = getattr(other, name)
        if other.names == self.names:
            self.components[at] = other.components
        self.failures.update(other.failures)
