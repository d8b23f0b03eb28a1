"""The criterion of a generalized model as a function of its parameters, without fitting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.fitting.laplace import make_data
from mixedsparse.core.fitting.start import check_theta
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.likelihood.laplace.collapse import counted_data
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion, Point
from mixedsparse.ground.checks import is_number, one_of, shown
from mixedsparse.ground.choices import LogDeterminant
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.core.likelihood.interface import Engine
    from mixedsparse.core.likelihood.laplace.data import Data
    from mixedsparse.core.problem.blocks import Block
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.data.formula.design import Design

__all__ = ["GeneralizedCriterionMixin", "laplace_data"]


class GeneralizedCriterionMixin:
    """Criterion side of `GeneralizedLinearMixedModel`, by Laplace's approximation."""

    problem: Problem
    design: Design
    family: Family
    engine: Callable[[], Engine]
    kept: tuple[np.ndarray, list[Block]] | None

    @property
    def response(self) -> np.ndarray:
        """Response (n,) as the family has it: proportions of successes, counts, or positive numbers."""
        design = self.design
        return design.y if design.trials is None else design.y / design.trials

    @property
    def prior(self) -> np.ndarray | None:
        """Trials of a binomial family, prior weights of the others, (n,); None where all are 1."""
        return self.design.weights if self.design.trials is None else self.design.trials

    def objective(
        self, theta: Any, beta: Any, dispersion: float | None = None, *, logdet: LogDeterminant = "observed"
    ) -> float:
        """-2 log-likelihood at these parameters by Laplace's approximation, constants included.

        Parameters
        ----------
        theta : array, shape (m,)
            Entries of Lambda, as `GeneralizedResults.theta`.
        beta : array, shape (p,)
            Coefficients of the columns of X that are kept.
        dispersion : float, optional
            As `GeneralizedResults.dispersion`: of families that have one, and only of these.
        logdet : {"observed", "fisher"}
            Information in the log-determinant of the approximation. ``"fisher"``, the expected one, gives the number of
            lme4's glmer, which differs where the link is not canonical; fits go by the observed one, as glmmTMB. It is
            for families without a dispersion: glmer's numbers for others are of no Laplace approximation.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> abs(fit.model.objective(fit.theta, fit.params) - fit.criterion) < 1e-9
        True

        glmer's -2 log-likelihood at the same parameters:

        >>> probit = ms.glmer(
        ...     "cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"), link="probit"
        ... )
        >>> observed = probit.model.objective(probit.theta, probit.params)
        >>> fisher = probit.model.objective(probit.theta, probit.params, logdet="fisher")
        >>> round(observed, 2), round(fisher, 2)
        (185.17, 185.24)
        """
        one_of("logdet", logdet, ("observed", "fisher"))
        if logdet == "fisher" and (self.family.has_dispersion or self.family.dispersion is not None):
            raise OptionError(
                f"logdet='fisher' gives lme4's number for families without a dispersion, and {self.family.name} has "
                "one: leave it out."
            )
        criterion, point = self._at(self._vector(theta, beta, dispersion))
        return float(point.criterion if logdet == "observed" else criterion.with_expected_information(point))

    def gradient(self, theta: Any, beta: Any, dispersion: float | None = None) -> np.ndarray:
        """Exact gradient of the criterion in theta, beta and, where the family has one, the log of the dispersion."""
        return self._gradient(self._vector(theta, beta, dispersion))

    def hessian(self, theta: Any, beta: Any, dispersion: float | None = None) -> np.ndarray:
        """Hessian of the criterion in the same parameters, by differencing the exact gradient."""
        return observed_hessian(self._gradient, self._vector(theta, beta, dispersion))

    def _vector(self, theta: Any, beta: Any, dispersion: float | None) -> np.ndarray:
        problem = self.problem
        try:
            coefficients = np.atleast_1d(np.asarray(beta, dtype=float))
        except (TypeError, ValueError) as err:
            raise OptionError(f"beta={shown(beta)} is not an array of numbers.") from err
        if coefficients.shape != (problem.p,) or not np.isfinite(coefficients).all():
            raise OptionError(f"beta must hold {problem.p} finite numbers, one per column of X; got {shown(beta)}.")
        has = self.family.has_dispersion
        if has != (dispersion is not None):
            mend = "give dispersion=, a positive number" if has else "leave dispersion= out"
            raise OptionError(f"The {self.family.name} family has {'a' if has else 'no'} dispersion: {mend}.")
        if dispersion is not None and not (is_number(dispersion) and 0.0 < dispersion < np.inf):
            raise OptionError(f"dispersion={shown(dispersion)} must be a positive number.")
        extra = [] if dispersion is None else [np.log(float(dispersion))]
        return np.concatenate([check_theta(problem, theta, "theta"), coefficients, extra])

    def _at(self, vector: np.ndarray) -> tuple[LaplaceCriterion, Point]:
        data = laplace_data(self, self.engine())
        criterion, (m, p) = LaplaceCriterion(data), (self.problem.n_theta, self.problem.p)
        inner = [self.problem.layout.to_block @ vector[:m], data.root @ vector[m : m + p], vector[m + p :]]
        return criterion, criterion.evaluate(np.concatenate(inner), criterion.at_rest())

    def _gradient(self, vector: np.ndarray) -> np.ndarray:
        criterion, point = self._at(vector)
        found, (m, p) = criterion.gradient(point), (self.problem.n_theta, self.problem.p)
        parts = [self.problem.layout.to_block.T @ found[:m], criterion.data.root.T @ found[m : m + p], found[m + p :]]
        return np.concatenate(parts)


def laplace_data(model: GeneralizedCriterionMixin, engine: Engine) -> Data:
    """Return response, weights and offset on the design of `engine`: of the rows, or of those that differ."""
    patterns = model.design.patterns
    if patterns is None:
        return make_data(engine, model.family, model.response, model.prior, model.design.offset)
    assert model.kept is not None
    return counted_data(engine, model.family, patterns, model.kept)
