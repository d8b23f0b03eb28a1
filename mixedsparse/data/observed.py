"""What is known of the observations of a design: their rows, or sums over them where the rows stay elsewhere.

Both answer the same questions, so that nobody else need ask which of the two there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.problem import edits
from mixedsparse.core.problem.sparse_basis import sparse_root
from mixedsparse.core.problem.sparse_columns import SparseColumns

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.core.problem.sums import PlainSums
    from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["Rows", "Sums", "like_counts"]

Effects = Sequence[tuple[int, np.ndarray]]
# A column whose part beside its mean is less than this share of it is constant up to rounding.
_CONSTANT = 1e-10
# Share of the rows that is rare; greatest count at least.
_RARE, _FEWEST = 0.02, 3
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False)
class Rows:
    """Observations in memory: response (n,), fixed-effects design (n, P), and terms in the order of the formula.

    `offset` and `weights` (n,) are None where there are none.
    """

    y: np.ndarray
    X: np.ndarray | SparseColumns
    terms: tuple[RandomTerm, ...]
    offset: np.ndarray | None = None
    weights: np.ndarray | None = None
    # What to add where numbers are lost.
    caution = ""

    @cached_property
    def x_root(self) -> np.ndarray:
        """R (r, P) with few rows and R'R = X'X, without weights."""
        if isinstance(self.X, SparseColumns):
            return sparse_root(self.X)
        return np.asarray(np.linalg.qr(self.X, mode="r"))

    def rows_of(self, columns: np.ndarray) -> np.ndarray | None:
        """`columns` of X, (n, p)."""
        return self.X[:, columns]

    def scatter(self, columns: np.ndarray, beta: np.ndarray) -> float:
        """Sum of squares of X beta about its mean, `columns` of X."""
        mean = self.X[:, columns] @ beta
        return float(np.square(mean - mean.mean()).sum())

    def varying(self, columns: np.ndarray) -> np.ndarray:
        """Mask of the `columns` of X that are not constant."""
        if isinstance(self.X, SparseColumns):
            least, greatest = self.X[:, columns].bounds
            return np.asarray(greatest > least)
        return np.ptp(self.X[:, columns], axis=0) > 0

    def marks(self, weights: np.ndarray | None) -> dict[str, np.ndarray]:
        """Return what tells these observations, with `weights`, from others."""
        return {"responses or rows": self.y, "weights or trials": np.ones(len(self.y)) if weights is None else weights}

    def combined(self, problem: Problem, columns: np.ndarray | None, effects: Effects) -> Problem:
        """Make the problem of a smaller model; see `mixedsparse.core.problem.edits.combined`."""
        if isinstance(self.X, SparseColumns):
            return edits.combined(problem, columns, effects)
        y = self.y if self.offset is None else self.y - self.offset
        return edits.combined(problem, columns, effects, edits.Rows(y, self.X, self.weights))

    @property
    def z_moments(self) -> list[np.ndarray]:
        """Z'Z / n of each term, formula order, levels together; see `RandomTerm.moment`."""
        return [term.moment for term in self.terms]

    @property
    def is_binary(self) -> bool:
        """Whether the response is 0 or 1 in all rows."""
        # Nearly every other response shows in its first rows.
        return _are_binary(self.y[:100]) and _are_binary(self.y)

    @property
    def is_counted(self) -> bool:
        """Whether the response looks like counts; see `like_counts`."""
        y = self.y
        if not (_are_whole(y[:100]) and _are_whole(y)):
            return False
        return like_counts(len(y), y.max(), y.mean(), y.var(), (y == 0).sum(), (y == y.max()).sum())

    has_quantiles = True

    def quantiles(self, scaled: Callable[[], np.ndarray]) -> np.ndarray:
        """Least, quartiles and greatest of the residuals that `scaled` computes, where they are not known already."""
        return np.quantile(scaled(), _QUANTILES)


@dataclass(frozen=True, eq=False)
class Sums:
    """Observations that stay in a source, or were left out of a file: `plain` has sums over them.

    `source` knows what was asked of them while they were read.
    """

    plain: PlainSums
    source: Any
    caution = (
        " Its rows stay in their source, whose sums keep 16 digits: subtract a constant from a response far from 0."
    )

    @property
    def x_root(self) -> np.ndarray:
        """R (r, P) with few rows and R'R = X'X, without weights; the first row holds the means."""
        return self.plain.x_root

    def rows_of(self, columns: np.ndarray) -> np.ndarray | None:
        """None: they are not here."""
        return None

    def scatter(self, columns: np.ndarray, beta: np.ndarray) -> float:
        """Sum of squares of X beta about its mean, `columns` of X."""
        around = self.plain.x_root[1:, columns] @ beta
        return float(around @ around)

    def varying(self, columns: np.ndarray) -> np.ndarray:
        """Mask of the `columns` of X that are not constant."""
        root = self.plain.x_root
        return np.linalg.norm(root[1:, columns], axis=0) > _CONSTANT * np.linalg.norm(root[:, columns], axis=0)

    def marks(self, weights: np.ndarray | None) -> dict[str, np.ndarray] | None:
        """Return what tells these observations from others: moments of response and weights, if they are known."""
        found = getattr(self.source, "fingerprint", None)
        return None if found is None else {"responses or rows": np.array(found)}

    def combined(self, problem: Problem, columns: np.ndarray | None, effects: Effects) -> Problem:
        """Make the problem of a smaller model from the cross-products of `problem`."""
        return edits.combined(problem, columns, effects)

    @property
    def z_moments(self) -> tuple[np.ndarray, ...]:
        """Z'Z / n of each term, formula order, levels together."""
        return self.plain.z_moments

    @property
    def is_binary(self) -> bool:
        """Whether the response is 0 or 1 in all rows: the source was asked while it was read."""
        return bool(getattr(self.source, "binary", False))

    @property
    def is_counted(self) -> bool:
        """Whether the response looks like counts, likewise."""
        return bool(getattr(self.source, "counted", False))

    @property
    def has_quantiles(self) -> bool:
        """Whether the rows were in memory once."""
        return self.plain.quantiles is not None

    def quantiles(self, scaled: Callable[[], np.ndarray]) -> np.ndarray:
        """Least, quartiles and greatest of the residuals that `scaled` computes, where they are not known already."""
        return np.quantile(scaled(), _QUANTILES) if self.plain.quantiles is None else self.plain.quantiles


def like_counts(n: float, high: float, mean: float, variance: float, zeros: float, tops: float) -> bool:
    """Whether whole numbers from 0 on look like counts: zeros are not rare, no scale ends above, and they spread.

    Scores on a scale have many rows at their end, and most vary less than their mean.
    """
    rare = _RARE * n
    return bool(high >= _FEWEST and zeros >= rare and tops <= max(2.0, rare) and variance >= mean)


def _are_whole(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values == np.floor(values))).all())


def _are_binary(values: np.ndarray) -> bool:
    return bool(((values == 0) | (values == 1)).all())
