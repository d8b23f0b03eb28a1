"""The criterion of a model as a function of theta, without fitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedsparse.core.derivatives import differentiate
from mixedsparse.core.engine import Engine
from mixedsparse.core.hessian import observed_hessian
from mixedsparse.core.pls import Pls, solve_pls
from mixedsparse.core.problem import Problem
from mixedsparse.core.start import check_theta

__all__ = ["CriterionMixin"]


class CriterionMixin:
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
        return self._pls(theta, reml).criterion

    def gradient(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Exact gradient (m,) of the criterion in theta (engine: selected inverse, no differences)."""
        derivatives = differentiate(self.engine(), self._pls(theta, reml), second=False)
        return np.asarray(self.problem.layout.to_block.T @ derivatives.gradient)

    def hessian(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Observed Hessian (m, m) of the criterion in theta, by differencing the exact gradient (error about 1e-8)."""
        theta = check_theta(self.problem, theta, "theta")
        return observed_hessian(lambda at: self.gradient(at, reml), theta)

    def _pls(self, theta: Any, reml: bool) -> Pls:
        layout = self.problem.layout
        inner = layout.to_block @ check_theta(self.problem, theta, "theta")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return solve_pls(self.problem, self.engine().factorize(layout.factors(inner)), bool(reml))
