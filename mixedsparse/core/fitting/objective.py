"""The criterion as a search minimises it, in theta or in the parameters of structured covariances."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.engines.criteria import make_criterion, make_orthogonal
from mixedsparse.core.fitting.lacking import CLOSE, lacking
from mixedsparse.core.fitting.reordered import reordered_step
from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.likelihood.criterion import Criterion, Evaluated, ThetaCriterion
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.residual.criterion import ResidualCriterion, ResidualPoint
from mixedsparse.core.likelihood.residual.family import Family
from mixedsparse.core.newton.boundary import Coordinates, off_zero, relative_step, with_zeros
from mixedsparse.core.newton.bounded import BoundedCoordinates, relative_bounded_step, with_boundaries
from mixedsparse.core.newton.joined import JoinedBounded, JoinedCoordinates
from mixedsparse.core.newton.single import Stop
from mixedsparse.core.newton.trust import Step
from mixedsparse.core.problem.chart import Chart, chart_of
from mixedsparse.ground.errors import DataError, NotPositiveDefiniteError
from mixedsparse.ground.progress import Iteration, Progress

__all__ = ["NOISE", "CriterionObjective", "Place"]

# Rounding noise of the criterion, relative.
NOISE = 2e-15
_LARGEST_NOISE = 1e-6
# Points with a singular residual covariance that a search may pass by a wild step.
_WILD_STEPS = 2
# Points with one that is singular but for `_THIN` times rounding, at steps that lower the criterion by less than
# `_CRAWL`, after which that is where the search is going.
_CRAWLING, _THIN, _CRAWL = 8, 1e3, 1e-3
# Evaluations after which lost digits or average information have led astray, and parameters up to which gradients are
# differenced then.
_ASTRAY, _FEW = 60, 30
# Evaluations from which on steps are taken with the effects in the order that suits them: short searches need none.
_PATIENT = 6


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A theta with the criterion, its derivatives and what their Hessian lacks."""

    theta: np.ndarray
    at: Evaluated
    derivatives: Derivatives
    missing: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether all derivatives are."""
        return self.derivatives.finite


class CriterionObjective:
    """The criterion as `newton.single` minimises it, and a record of the search."""

    def __init__(
        self,
        engine: Engine,
        reml: bool,
        tolerance: float,
        progress: Progress | None,
        chart: Chart | None = None,
        family: Family | None = None,
    ) -> None:
        self.engine, self.progress, self.tolerance = engine, progress, tolerance
        self.reml, self.is_orthogonal, self.family = reml, False, family
        self.chart = chart_of(engine.problem) if chart is None else chart
        self.layout: Coordinates = engine.problem.layout if self.chart is None else self.chart
        self.nfev = self.degenerate = self.crawled = self.mended = 0
        self.path: list[Iteration] = []
        self.bounded: BoundedCoordinates | None = self.chart
        self.criterion: Criterion
        if family is None:
            self.criterion = self._charted(make_criterion(engine, reml))
            return
        criterion = self.criterion = ResidualCriterion(engine, reml, family, self.chart)
        self.layout = JoinedCoordinates(self.layout, criterion.count, family.residual.size)
        if self.chart is not None:
            self.bounded = self.layout = JoinedBounded(self.chart, criterion.count, family.residual.size)

    def _charted(self, criterion: ThetaCriterion) -> Criterion:
        return criterion if self.chart is None else ChartedCriterion(criterion, self.chart)

    def use_orthogonal(self) -> bool:
        """Go over to the form of the criterion that loses fewest digits; return whether that can be done."""
        # Rows that are whitened anew at every step have no such form.
        is_last = self.is_orthogonal or self.family is not None
        found = None if is_last else make_orthogonal(self.engine, self.reml)
        if found is not None:
            self.criterion, self.is_orthogonal = self._charted(found), True
        return found is not None

    def evaluate(self, theta: np.ndarray) -> Evaluated:
        """Evaluate the criterion at `theta` as it is."""
        self.nfev += 1
        point: Evaluated = self.criterion.evaluate(theta)
        return point

    def evaluate_off_zero(self, theta: np.ndarray) -> tuple[np.ndarray, Evaluated]:
        """Evaluate the criterion at the same covariance, a little away from boundaries; return that theta too."""
        theta = off_zero(self.layout, self.layout.positive(theta))
        return theta, self.evaluate(theta)

    def attempt_at(self, theta: np.ndarray) -> tuple[np.ndarray, Evaluated] | None:
        """See `evaluate_off_zero`; None where the criterion cannot be evaluated."""
        try:
            return self.evaluate_off_zero(theta)
        except NotPositiveDefiniteError:
            return None

    def place(self, theta: np.ndarray, at: Evaluated) -> Place:
        """Differentiate at an evaluated point; nothing is learnt yet."""
        return Place(theta, at, self.criterion.differentiate(at, exact=True), np.zeros((len(theta), len(theta))))

    def noise(self, at: Evaluated) -> float:
        """Return the rounding noise of the criterion: r^2 is what is left of the sum of squares of y.

        Capped, so that an absurd theta is not taken for an optimum because nothing can be told apart there.
        """
        problem = self.engine.problem
        cancelled = (float(problem.xy[-1, -1]) / at.pwrss) ** (0.5 if self.is_orthogonal else 1.0)
        return min(NOISE * (abs(at.criterion) + problem.n * (1.0 + cancelled)), _LARGEST_NOISE)

    def step(self, at: Place, radius: float) -> Step:
        """See `Objective.step`."""
        hessian = at.derivatives.hessian
        assert hessian is not None
        if self.bounded is None and self.family is None and self.nfev >= _PATIENT:
            reordered = reordered_step(self.engine.problem.layout, at.theta, at.derivatives, radius)
            if reordered is not None:
                return reordered
        quadratic = at.theta, at.derivatives.gradient, hessian + at.missing, radius
        if self.bounded is None:
            return relative_step(self.layout, *quadratic)
        return relative_bounded_step(self.bounded, *quadratic)

    def snapped(self, theta: np.ndarray) -> np.ndarray | None:
        """Theta with the entries on the boundary that are near one; None if there is none."""
        return with_zeros(self.layout, theta) if self.bounded is None else with_boundaries(self.bounded, theta)

    def note(self, at: Place, step: Step, length: float) -> None:
        """See `Objective.note`."""
        line = Iteration(len(self.path), self.nfev, at.at.criterion, step.scaled_gradient, length)
        self.path.append(line)
        if self.progress is not None:
            self.progress(line)

    def accuracy(self, at: Place) -> tuple[float, float]:
        """See `Objective.accuracy`."""
        noise = self.noise(at.at)
        return max(self.tolerance, noise), noise

    def is_lost(self, at: Place) -> bool:
        """Refuse a residual covariance that becomes singular: there is no optimum on that way.

        The likelihood grows without limit, or, where random effects make up for what the residuals lose, to one.

        Raises
        ------
        DataError
            It is singular but for rounding at a third point of the search, or almost so at many.
        """
        if not isinstance(at.at, ResidualPoint):
            return False
        data, crawls = at.at.data, len(self.path) > 1 and self.path[-2].criterion - self.path[-1].criterion < _CRAWL
        if where := data.at.degenerate():
            self.degenerate += 1
        elif crawls and (where := data.at.degenerate(_THIN)):
            self.crawled += 1
        if self.degenerate > _WILD_STEPS or self.crawled > _CRAWLING:
            raise _without_optimum(where, bool(data.problem.terms))
        return False

    def refuse_thin(self, at: Place) -> None:
        """Refuse an end without progress at a residual covariance that is almost singular.

        Raises
        ------
        DataError
        """
        if isinstance(at.at, ResidualPoint) and (where := at.at.data.at.degenerate(10.0 * _THIN)):
            raise _without_optimum(where, bool(at.at.data.problem.terms))

    def refined(self, at: Place, step: Step, stop: Stop | None) -> Place | None:
        """Go over to more digits, or to a better Hessian, where a search is slow or would end for want of them.

        Only the exact Hessian shows the negative curvature that average information leaves out.
        """
        slow = stop is None and self.nfev - self.mended >= _ASTRAY
        if slow and self.criterion.needs_digits(at.at) and self.use_orthogonal():
            self.mended = self.nfev
            return self.place(at.theta, self.evaluate(at.theta))
        if at.derivatives.kind == "exact" or self.family is not None:
            return None
        if stop is Stop.CONVERGED and self.engine.writes_projection:
            return replace(at, derivatives=self.criterion.differentiate(at.at, exact=True))
        return self.differenced(at) if slow else None

    def differenced(self, at: Place) -> Place | None:
        """Learn what the Hessian lacks from differences of the gradient; None where these are too many, or infinite."""
        if len(at.theta) > _FEW:
            return None

        def gradient(theta: np.ndarray) -> np.ndarray:
            return self.criterion.differentiate(self.evaluate(theta), exact=False).gradient

        try:
            observed = observed_hessian(gradient, at.theta)
        except NotPositiveDefiniteError:
            observed = np.full_like(at.missing, np.nan)
        self.mended = self.nfev
        return replace(at, missing=observed - at.derivatives.hessian) if np.isfinite(observed).all() else None

    def attempt(self, at: Place, step: Step) -> tuple[np.ndarray, Evaluated] | None:
        """See `Objective.attempt`."""
        return self.attempt_at(at.theta + step.move)

    def gain(self, at: Place, trial: tuple[np.ndarray, Evaluated], step: Step) -> float:
        """See `Objective.gain`."""
        return at.at.criterion - trial[1].criterion

    def _is_cut(self, theta: np.ndarray) -> bool:
        """Whether coordinates are moved away from the ends of shapes."""
        return bool((self.layout.canonical(theta) != self.layout.positive(theta)).any())

    def _near(self, step: Step) -> bool:
        """Whether a step is so close to the optimum, or the coordinates such, that the exact Hessian guides best."""
        return step.scaled_gradient < CLOSE or (self.chart is not None and self.chart.needs_exact)

    def accept(self, at: Place, trial: tuple[np.ndarray, Evaluated], step: Step) -> Place:
        """See `Objective.accept`."""
        found = self.criterion.differentiate(trial[1], exact=self._near(step))
        # A step that is cut at the end of a shape teaches nothing.
        if self.chart is not None and self._is_cut(at.theta + step.move):
            return Place(*trial, found, np.zeros_like(at.missing) if found.kind == "exact" else at.missing)
        missing = lacking(self.layout, at.missing, at.theta, at.derivatives, found, step)
        return Place(*trial, found, missing)


def _without_optimum(where: str, has_effects: bool) -> DataError:
    """Build the error for a residual covariance that becomes singular `where`."""
    if has_effects:
        return DataError(
            f"The likelihood has no maximum: {where}. The model fits these rows exactly, or its random effects make up "
            "for what their residuals lose. Leave out the random effects of the groups whose rows are correlated, or "
            "use a residual covariance with fewer parameters, such as 'ar1', fewer fixed effects, or leave out what "
            "has so few rows."
        )
    return DataError(
        f"The likelihood is unbounded: {where}. Too few groups have these rows together, or the model fits them "
        "exactly: use a residual covariance with fewer parameters, fewer fixed effects, or leave out what has so few "
        "rows."
    )
