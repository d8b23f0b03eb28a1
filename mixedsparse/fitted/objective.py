"""The criterion of a model as a function of theta, without fitting."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedsparse.core.engines.criteria import criterion_at
from mixedsparse.core.fitting.start import check_theta
from mixedsparse.core.likelihood.criterion import Criterion
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.residual.criterion import ResidualCriterion
from mixedsparse.core.likelihood.residual.family import RowFamily
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.residual.interface import Residual
from mixedsparse.ground.errors import OptionError
from mixedsparse.ground.foreign import Answers

__all__ = ["CriterionMixin"]


class CriterionMixin(Answers):
    """Criterion side of `LinearMixedModel`."""

    problem: Problem

    @property
    def residual(self) -> Residual | None:
        """Covariance of the residuals as a function of parameters, which stand behind theta then."""
        raise NotImplementedError

    @property
    def white(self) -> Problem:
        """The problem with independent residuals of one variance."""
        raise NotImplementedError

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
        found, m = criterion.gradient(point), self.problem.n_theta
        return np.concatenate([self.problem.layout.to_block.T @ found[:m], found[m:]])

    def hessian(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Observed Hessian (m, m) of the criterion in theta, by differencing the exact gradient (error about 1e-8)."""
        return observed_hessian(lambda at: self.gradient(at, reml), self._checked(theta))

    def _checked(self, theta: Any) -> np.ndarray:
        """Theta, with the parameters of the residual covariance behind it where there are any."""
        more = 0 if self.residual is None else self.residual.size
        values = check_theta(self.problem, theta, "theta", more)
        if len(values) != self.problem.n_theta + more:
            raise OptionError(
                f"theta must hold {self.problem.n_theta} parameters of the random effects and then {more} of the "
                f"residual covariance, in the order of residual_params: it has {len(values)}."
            )
        return values

    def _point(self, theta: Any, reml: bool) -> tuple[Criterion, Any]:
        values, m = self._checked(theta), self.problem.n_theta
        inner = self.problem.layout.to_block @ values[:m]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.residual is None:
                return criterion_at(self.engine(), bool(reml), inner)
            engine = self.engine().with_problem(self.white)
            criterion = ResidualCriterion(engine, bool(reml), RowFamily(self.white, self.residual), None)
            return criterion, criterion.evaluate(np.concatenate([inner, values[m:]]))
