"""The criterion in the parameters of the random effects, x_1, and in those of the residual covariance, phi.

At each phi it is the criterion of the whitened rows; see `family` for its derivatives in phi. With tau = df / r^2, the
working vectors f_i = Z S_i zeta of entry i of Sigma (see `derivatives`) and f_i = R_i R^-1 e of phi_i, second
derivatives are average information,

    tau f_i'P_0 f_j - s_i s_j / df,    s_i = tau f_i'V_0^-1 (y - X beta),

plus the curvature of Sigma in x_1. That of R in phi is left out: its expectation is 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.likelihood.conditioned import Condition, ConditionedCriterion
from mixedsparse.core.likelihood.criterion import Criterion, EngineCriterion
from mixedsparse.core.likelihood.derivatives import Derivatives, times_columns
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.projected import projected_columns
from mixedsparse.core.likelihood.residual.family import Family, FamilyAt
from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.problem.entries import jacobian, times_units
from mixedsparse.ground.errors import NotPositiveDefiniteError

# Mean logarithm of the residual variances over sigma^2 beyond which no optimum is.
_FURTHEST = 200.0

__all__ = ["ResidualCriterion", "ResidualPoint"]


@dataclass(frozen=True, slots=True, eq=False)
class ResidualPoint:
    """An evaluated x: the data at phi, the criterion of the random effects there, and its own point."""

    x: np.ndarray
    data: FamilyAt
    criterion_of_effects: Criterion
    inner: Any

    @property
    def criterion(self) -> float:
        """See `Evaluated.criterion`."""
        return float(self.inner.criterion)

    @property
    def pwrss(self) -> float:
        """See `Evaluated.pwrss`."""
        return float(self.inner.pwrss)

    @property
    def pls(self) -> Pls:
        """Penalised least squares, M factorised."""
        inner: Pls = self.inner if isinstance(self.inner, Pls) else self.inner.inner
        return inner


class ResidualCriterion:
    """The criterion of the rows of `family`, by engines for the problem of each phi; see `Criterion`.

    A `condition` on the coefficients goes with maximum likelihood only.
    """

    def __init__(
        self, engine: Engine, reml: bool, family: Family, chart: Chart | None, condition: Condition | None = None
    ) -> None:
        self.engine, self.reml, self.family, self.chart = engine, reml, family, chart
        self.condition = condition
        self.count = engine.problem.n_theta if chart is None else chart.size

    def evaluate(self, x: np.ndarray) -> ResidualPoint:
        """See `Criterion.evaluate`."""
        data = self.family.at(x[self.count :])
        if not np.isfinite(data.at.logdet) or abs(data.at.logdet) > _FURTHEST * data.problem.n:
            raise NotPositiveDefiniteError("The residual covariance is singular.")
        engine = self.engine.with_problem(data.problem)
        in_theta = EngineCriterion(engine, self.reml)
        if self.condition is not None:
            in_theta = ConditionedCriterion(engine, self.condition)
        criterion: Criterion = in_theta if self.chart is None else ChartedCriterion(in_theta, self.chart)
        return ResidualPoint(x, data, criterion, criterion.evaluate(x[: self.count]))

    def differentiate(self, point: ResidualPoint, exact: bool) -> Derivatives:
        """See `Criterion.differentiate`; never exact."""
        return self._derivatives(point, True)

    def gradient(self, point: ResidualPoint) -> np.ndarray:
        """See `Criterion.gradient`."""
        return self._derivatives(point, False).gradient

    def pls(self, point: ResidualPoint) -> Pls:
        """See `Criterion.pls`."""
        return point.criterion_of_effects.pls(point.inner)

    def noise(self, point: ResidualPoint) -> float:
        """See `Criterion.noise`."""
        return point.criterion_of_effects.noise(point.inner)

    def needs_digits(self, point: ResidualPoint) -> bool:
        """There is no other form with more digits."""
        return False

    def _derivatives(self, point: ResidualPoint, second: bool) -> Derivatives:
        pls, data = point.pls, point.data
        df = data.problem.degrees(self.reml)
        tau = df / pls.pwrss
        # Solutions come first: the inverse takes the place of the factor.
        moved = self._second(pls, data) if second else None
        C = pls.factor.pattern_covariances()
        own: np.ndarray | None = np.empty(0)
        curve: np.ndarray | None = np.empty((0, 0))
        if self.count and second:
            inner = point.criterion_of_effects.differentiate(point.inner, False)
            own, curve = inner.gradient, inner.hessian
        elif self.count:
            own = point.criterion_of_effects.gradient(point.inner)
        fixed, squares = data.forms(pls)
        assert own is not None
        gradient = np.concatenate([own, data.at.slopes - data.traces(C) - fixed - tau * squares])
        if moved is None:
            return Derivatives(gradient, None)
        between, inside = moved
        entries, rises = self._entries(point, pls, tau)
        rise = tau * squares
        inside = tau * inside - np.outer(rise, rise) / df
        between = entries.T @ (tau * between - np.outer(rises, rise) / df)
        assert curve is not None
        hessian = np.block([[curve, between], [between.T, inside]])
        return Derivatives(gradient, 0.5 * (hessian + hessian.T))

    def _second(self, pls: Pls, data: FamilyAt) -> tuple[np.ndarray, np.ndarray]:
        """f_i'P_0 f_j between entries of Sigma and phi, (m, size), and among phi, (size, size)."""
        problem, working = data.problem, data.working(pls)
        h, inside = working.with_x, working.quadratic
        layout = problem.layout
        if not layout.widths:
            return np.empty((0, len(inside))), inside - h.T @ pls.K @ h
        modes, projected = pls.factor.solve(working.with_z)
        h = h - times_columns(projected_columns(problem, pls), working.with_z)
        inside = inside - times_columns(modes, working.with_z) - h.T @ pls.K @ h
        projected = [v - hx @ (pls.K @ h) for v, hx in zip(projected, pls.Hx, strict=True)]
        return times_columns(times_units(layout, problem.related(pls.zeta)), projected), inside

    def _entries(self, point: ResidualPoint, pls: Pls, tau: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivative of the entries of Sigma in x_1, and tau zeta'S_i zeta, (m,)."""
        problem = point.data.problem
        layout = problem.layout
        if not layout.widths:
            return np.empty((0, 0)), np.empty(0)
        squares = [zeta.T @ own for zeta, own in zip(pls.zeta, problem.related(pls.zeta), strict=True)]
        rises = tau * layout.gather(squares) * layout.multiplicity
        if self.chart is not None:
            return self.chart.slopes(point.x[: self.count]), rises
        return jacobian(layout, pls.lams), rises
