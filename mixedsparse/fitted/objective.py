"""The criterion of a model as a function of theta, without fitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedsparse.core.engines.criteria import criterion_at
from mixedsparse.core.fitting.start import check_theta
from mixedsparse.core.likelihood.criterion import Criterion
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.foreign import Answers

__all__ = ["CriterionMixin"]


class CriterionMixin(Answers):
    """Criterion side of `LinearMixedModel`."""

    problem: Problem

    def engine(self, backend: str = "auto", method: str = "direct") -> Engine:
        """Return the engine of the model."""
        raise NotImplementedError

    def objective(self, theta: Any, reml: bool = True) -> float:
        """REML criterion (or -2 log-likelihood) at `theta`, without fitting.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> model = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> round(model.objective([0.8483237814]), 6)
        319.654277
        """
        return float(self._point(theta, reml)[1].criterion)

    def gradient(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Exact gradient (m,) of the criterion in theta (engine: selected inverse, no differences)."""
        criterion, point = self._point(theta, reml)
        return np.asarray(self.problem.layout.to_block.T @ criterion.gradient(point))

    def hessian(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Observed Hessian (m, m) of the criterion in theta, by differencing the exact gradient (error about 1e-8)."""
        theta = check_theta(self.problem, theta, "theta")
        return observed_hessian(lambda at: self.gradient(at, reml), theta)

    def _point(self, theta: Any, reml: bool) -> tuple[Criterion, Any]:
        inner = self.problem.layout.to_block @ check_theta(self.problem, theta, "theta")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return criterion_at(self.engine(), bool(reml), inner)
