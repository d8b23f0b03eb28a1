"""The two kinds of evidence about the optimum: exact derivatives, or the average information of an iterative search.

What depends on which of them a fit has asks `evidence_of`, the one place that chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixedsparse.core.batch.accuracy import batch_at
from mixedsparse.core.batch.batch import Batch
from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.batch.profile_paths import curvatures
from mixedsparse.core.problem.narrowed import Narrowed
from mixedsparse.fitted.warnings import warn_of_rounding
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.curvature import Curvature, curvature, curvature_of_search
from mixedsparse.inference.information import information_curvatures

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Evidence", "evidence_of"]


class Evidence(Protocol):
    """What is known of the criterion around the optimum of a linear fit."""

    def curvature(self, narrow: Narrowed | None = None) -> Curvature:
        """Second derivatives in the covariance parameters; of the smaller problem, where X is wide."""

    def curvatures(self, charts: Sequence[ProfileChart], x: np.ndarray) -> np.ndarray:
        """Those in the coordinate of each chart (C,) at x (C, m), all other parameters at their best."""

    def batch(self) -> tuple[Batch, float] | None:
        """Return what searches many responses in step from here, and the digits that it loses; None if nothing."""


class _ByDerivatives:
    """A factor of the whole system is at hand: exact derivatives, and their differences."""

    def __init__(self, fitted: Fitted) -> None:
        self.fitted = fitted

    def curvature(self, narrow: Narrowed | None = None) -> Curvature:
        """See `Evidence`."""
        engine, fit = self.fitted.model.engine(), self.fitted.fit
        engine = engine if narrow is None else engine.with_problem(narrow.problem)
        with blas_threads(engine.work):
            return curvature(engine, fit.search, fit.reml)

    def curvatures(self, charts: Sequence[ProfileChart], x: np.ndarray) -> np.ndarray:
        """See `Evidence`."""
        with blas_threads(self.fitted.work):
            batch, error = self.batch()
            found = curvatures(batch, charts, x, self.fitted.sigma, self.fitted.reml)
        warn_of_rounding(error, "The interval of a variance")
        return found

    def batch(self) -> tuple[Batch, float]:
        """See `Evidence`."""
        fit = self.fitted.fit
        return batch_at(self.fitted.model.engine(), fit.templates, self.fitted.sigma, fit.criterion, fit.reml)


class _ByProbes:
    """An iterative fit: differences would differ by their probes, so that its last Newton step tells all."""

    def __init__(self, fitted: Fitted) -> None:
        self.fitted = fitted

    def curvature(self, narrow: Narrowed | None = None) -> Curvature:
        """See `Evidence`."""
        return curvature_of_search(self.fitted.fit.search, self.fitted.problem.layout)

    def curvatures(self, charts: Sequence[ProfileChart], x: np.ndarray) -> np.ndarray:
        """See `Evidence`."""
        return information_curvatures(self.fitted.problem, self.fitted.fit, charts)

    def batch(self) -> None:
        """See `Evidence`."""


def evidence_of(fitted: Fitted) -> Evidence:
    """Evidence of a fit."""
    return _ByProbes(fitted) if fitted.iterative else _ByDerivatives(fitted)
