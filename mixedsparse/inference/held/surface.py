"""-2 log-likelihood as a function of all covariance parameters, sigma too, and of one coefficient where it is held.

    F(x, phi, l) = f(x, phi) + df (t - 1 - log t),   t = r^2 / (df sigma^2),   l = log sigma

for the criterion f in which sigma is profiled out; with rho = d log r^2 / d(x, phi) its derivatives are

    dF = df / d(x, phi) + df (t - 1) rho,   dF / dl = 2 df (1 - t)

and average information gives second ones, up to terms of mean 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.likelihood.conditioned import Condition, ConditionedCriterion, ConditionedPls
from mixedsparse.core.likelihood.criterion import Criterion, EngineCriterion
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.residual.criterion import ResidualCriterion
from mixedsparse.core.likelihood.residual.family import RowFamily
from mixedsparse.core.newton.boundary import off_zero
from mixedsparse.core.problem.chart import Chart
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.inference.residual_moves import entry_scores

__all__ = ["Place", "Surface"]

# Logarithms of t beyond which the point is too far away to be of use.
_FURTHEST = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An evaluated vector: F there, and the point of the criterion."""

    vector: np.ndarray
    value: float
    criterion: Criterion
    point: Any

    @property
    def pls(self) -> Pls:
        """Penalised least squares."""
        pls: Pls = getattr(self.point, "pls", None) or self.point.inner
        return pls


class Surface:
    """F of the model of a maximum-likelihood fit.

    Vectors are (x, phi, log sigma), x the coordinates of `chart` (m,), phi those of the residual covariance (size,);
    behind them stands the coefficient, in `errors` from its estimate, that a surface `with_coefficient` has.
    """

    def __init__(self, fitted: Fitted, coefficient: int | None = None) -> None:
        model = fitted.model
        self.fitted, self.residual = fitted, model.residual
        self.problem = model.problem if self.residual is None else model.white
        self.engine = model.engine().with_problem(self.problem)
        self.family = None if self.residual is None else RowFamily(self.problem, self.residual)
        self.chart = Chart(self.problem) if self.problem.terms else None
        self.m = 0 if self.chart is None else self.chart.size
        self.size = 0 if self.residual is None else self.residual.size
        self.df = self.problem.degrees(False)
        self.coefficient = coefficient
        self.row, self.shift = np.empty(0), 0.0
        if coefficient is not None:
            unit = np.zeros(self.problem.p)
            unit[coefficient] = 1.0
            self.error = float(np.sqrt(fitted.fit.cov_beta[coefficient, coefficient]))
            self.estimate = float(fitted.fit.beta[coefficient])
            self.row = solve_triangular(self.problem.basis.root, unit, trans="T") / self.error
            self.shift = self.estimate / self.error - float(self.row @ self.problem.basis.shift)

    @property
    def log_sigma(self) -> int:
        """Place of log sigma in a vector."""
        return self.m + self.size

    def optimum(self) -> np.ndarray:
        """Return the vector of the fit."""
        fit = self.fitted.fit
        parts = [] if self.chart is None else [self.chart.x_of(self.phi_of_terms())]
        parts += [] if fit.residual is None else [fit.residual]
        parts.append(np.array([0.5 * math.log(fit.sigma2)]))
        return self.settled(np.concatenate(parts if self.coefficient is None else [*parts, np.zeros(1)]))

    def phi_of_terms(self) -> list[np.ndarray]:
        """Parameters of the structures of all terms at the fit; triangles of those without one."""
        fit = self.fitted.fit
        if fit.search.phi is not None:
            return list(fit.search.phi)
        return [np.asarray(lam[np.triu_indices(len(lam))[::-1]]) for lam in fit.templates]

    def settled(self, vector: np.ndarray) -> np.ndarray:
        """Return the vector with the same covariances, scales off 0 and shapes off their ends."""
        if self.chart is None:
            return vector
        x = off_zero(self.chart, self.chart.positive(vector[: self.m]))
        return np.concatenate([x, vector[self.m :]])

    def evaluate(self, vector: np.ndarray) -> Place:
        """F at a settled vector.

        Raises
        ------
        NotPositiveDefiniteError
        """
        criterion = self._criterion(vector)
        point = criterion.evaluate(vector[: self.log_sigma])
        t = float(point.pwrss) / self.df * math.exp(-2.0 * min(max(float(vector[self.log_sigma]), -300.0), 300.0))
        far = not 0.0 < t < math.exp(_FURTHEST)
        value = math.inf if far else float(point.criterion) + self.df * (t - 1.0 - math.log(t))
        return Place(vector, value, criterion, point)

    def _criterion(self, vector: np.ndarray) -> Criterion:
        condition = None
        if self.coefficient is not None:
            condition = Condition(self.row, self.shift + float(vector[-1]))
        if self.family is not None:
            return ResidualCriterion(self.engine, False, self.family, self.chart, condition)
        plain = EngineCriterion(self.engine, False)
        inner = plain if condition is None else ConditionedCriterion(self.engine, condition)
        assert self.chart is not None
        return ChartedCriterion(inner, self.chart)

    def differentiate(self, place: Place) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and approximate Hessian of F."""
        pls, at, count = place.pls, self.log_sigma, len(place.vector)
        sigma2 = math.exp(2.0 * float(place.vector[at]))
        t = pls.pwrss / (self.df * sigma2)
        rho = -self._scores(place) / pls.pwrss
        exact = self.chart is not None and self.chart.needs_exact
        found = place.criterion.differentiate(place.point, exact)
        assert found.hessian is not None
        gradient, hessian = np.zeros(count), np.zeros((count, count))
        gradient[:at] = found.gradient + self.df * (t - 1.0) * rho
        gradient[at] = 2.0 * self.df * (1.0 - t)
        hessian[:at, :at] = found.hessian + self.df * t * np.outer(rho, rho)
        hessian[:at, at] = hessian[at, :at] = -2.0 * self.df * t * rho
        hessian[at, at] = 4.0 * self.df * t
        if isinstance(pls, ConditionedPls):
            gradient[-1] = pls.pull / sigma2
            hessian[-1, -1] = pls.bend / sigma2
            hessian[-1, at] = hessian[at, -1] = -2.0 * pls.pull / sigma2
        return gradient, hessian

    def _scores(self, place: Place) -> np.ndarray:
        """-d r^2 / d(x, phi)."""
        parts = []
        if self.chart is not None:
            scores = entry_scores(self.problem, place.pls)
            parts.append(self.chart.slopes(place.vector[: self.m]).T @ scores)
        if self.family is not None:
            parts.append(place.point.data.forms(place.pls)[1])
        return np.concatenate(parts)

    def covariances(self, vector: np.ndarray) -> list[np.ndarray]:
        """Covariances (k, k) of the effects of each term, user's basis and units."""
        if self.chart is None:
            return []
        phi = self.chart.phi(vector[: self.m])
        lams = [structure.factor(own) for structure, own in zip(self.chart.structures, phi, strict=True)]
        return [math.exp(2.0 * float(vector[self.log_sigma])) * (lam @ lam.T) for lam in lams]
