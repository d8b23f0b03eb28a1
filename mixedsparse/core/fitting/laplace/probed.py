"""Generalized fits by an engine that factorises nothing: the zero of a score that a fixed set of probes gives.

The search is that of `iterative_search` for linear models, over theta, gamma and psi together: probes are the same at
every point, so that the score is smooth; a step is judged by the trapezoidal rule, and probes are added until the
Monte-Carlo error is the share of the standard errors that was asked for. What the movement of W adds to the Hessian is
learnt by secants, as in `search`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.fitting.estimates import MonteCarlo
from mixedsparse.core.fitting.iterative_search import Goals, enough_of, refine
from mixedsparse.core.fitting.laplace.errors import Covariances, covariances
from mixedsparse.core.fitting.laplace.search import Found, LaplaceObjective, Place
from mixedsparse.core.fitting.laplace.secants import learnt
from mixedsparse.core.likelihood.interface import StochasticFactored
from mixedsparse.core.likelihood.laplace.criterion import Point
from mixedsparse.core.likelihood.laplace.data import Vectors
from mixedsparse.core.likelihood.laplace.probed import ProbedCriterion, ProbedCurvature
from mixedsparse.core.newton.boundary import ZERO, with_zeros
from mixedsparse.core.newton.single import Stop, minimise
from mixedsparse.core.newton.trust import Step
from mixedsparse.ground.progress import Progress

__all__ = ["Probed", "monte_carlo_of", "probed_covariances", "search_probed", "with_log_determinant"]

# Fall of the criterion left from which on the number of probes is decided on, as in `iterative_search`.
_CLOSE = 1e-3
# Iterations of a solution from which on the coarse space is enriched.
_SLOW = 40
_FIRST_RADIUS, _SMALLEST_RADIUS = 0.5, 1e-6
# Differences of the score for standard errors: their step in standard errors, probes (in batches), and the residual of
# the probes' solutions, whose noise the differences blow up.
_STEP, _BATCHES, _SHARP = 0.05, 2, 1e-8
# Eigenvalues of the scaled Hessian below this count as flat.
_FLAT = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Probed(Place):
    """A place, with the Monte-Carlo covariance (r, r) of the parameters and the largest share of a standard error.

    `signs` (r,) times the vector of the point is the one that was asked for.
    """

    signs: np.ndarray
    covariance: np.ndarray
    share: float


class ProbedObjective(LaplaceObjective):
    """The score as `newton.single` follows it."""

    criterion: ProbedCriterion

    def __init__(self, criterion: ProbedCriterion, goals: Goals, progress: Progress | None, watch: bool) -> None:
        super().__init__(criterion, goals.tolerance, progress, watch)
        self.goals = goals

    def evaluate(self, vector: np.ndarray, *starts: Vectors, near: Point | None = None) -> Point | None:
        """Return the point, None where there is none."""
        point = super().evaluate(vector, *starts)
        engine = self.criterion.engine
        if point is not None and not engine.enriched and engine.effort.worst > _SLOW:
            _factor(point).enrich()
        return point

    def known_by_probes(self, place: Place, signs: np.ndarray) -> Probed:
        """Add the errors that the probes leave."""
        curvature: ProbedCurvature = place.curvature  # type: ignore[assignment]
        layout, theta = self.criterion.layout, place.point.vector[: self.criterion.m]
        free = np.ones(self.criterion.size, dtype=bool)
        free[: self.criterion.m] = ~(layout.is_diagonal & (theta < ZERO))
        inverse = np.zeros((len(free), len(free)))
        part = (curvature.hessian + place.known + place.missing)[np.ix_(free, free)]
        inverse[np.ix_(free, free)] = _inverse(part)
        covariance = inverse @ curvature.covariance @ inverse
        variance = 2.0 * np.diagonal(inverse)
        known = variance > 0
        share = float(np.sqrt((np.diagonal(covariance)[known] / variance[known]).max(initial=0.0)))
        return Probed(place.point, curvature, place.known, place.missing, signs, covariance, share)

    def note(self, at: Place, step: Step, length: float) -> None:
        """See `Objective.note`; the criterion is not known."""
        super().note(replace(at, point=replace(at.point, criterion=np.nan)), step, length)

    def accuracy(self, at: Probed) -> tuple[float, float]:  # type: ignore[override]
        """See `Objective.accuracy`; the trapezoidal rule has no rounding to speak of."""
        return min(_CLOSE, enough_of(at.share, self.goals)), 0.0

    def refined(self, at: Probed, step: Step, stop: Stop | None) -> Probed | None:  # type: ignore[override]
        """Know the same point by more probes once the search has converged on too few."""
        if stop is Stop.NO_PROGRESS or step.predicted > _CLOSE:
            return None
        if not refine(self.criterion.engine, _factor(at.point), at.share, self.goals):
            return None
        curvature = self.criterion.differentiate(at.point)
        return self.known_by_probes(Place(at.point, curvature, at.known, at.missing), at.signs)

    def attempt(self, at: Place, step: Step) -> Probed | None:  # type: ignore[override]
        """Evaluate the end of a step, the diagonal of Lambda made positive."""
        m, vector = self.criterion.m, at.point.vector + step.move
        signs = np.ones(len(vector))
        signs[:m] = self.criterion.layout.signs(vector[:m])
        motion = [z + d @ step.move for z, d in zip(at.point.mode.zeta, at.curvature.motion, strict=True)]
        point = self.evaluate(signs * vector, motion, at.point.mode.zeta)
        if point is None:
            return None
        curvature = self.criterion.differentiate(point)
        return self.known_by_probes(Place(point, curvature, at.known, at.missing), signs) if curvature.finite else None

    def gain(self, at: Place, trial: Probed, step: Step) -> float:  # type: ignore[override]
        """Fall of the criterion along a step, by the trapezoidal rule."""
        return -0.5 * float((at.curvature.gradient + trial.signs * trial.curvature.gradient) @ step.move)

    def accept(self, at: Place, trial: Probed, step: Step) -> Probed:  # type: ignore[override]
        """Take the step, and learn from it what the Hessian lacks."""
        if (trial.signs < 0).any():
            missing = at.missing * np.outer(trial.signs, trial.signs)
        else:
            missing = learnt(at.known, at.missing, step.move, at.curvature, trial.curvature)
        return self.known_by_probes(replace(trial, missing=missing), trial.signs)


def search_probed(
    criterion: ProbedCriterion, start: np.ndarray, goals: Goals, progress: Progress | None, watch: bool
) -> tuple[Found, Probed]:
    """Find the zero of the score from the vector `start`; see `search`."""
    objective = ProbedObjective(criterion, goals, progress, watch)
    start = start.copy()
    start[: criterion.m] = criterion.layout.positive(start[: criterion.m])
    first = objective.known_by_probes(objective.first(start), np.ones(len(start)))
    radius = _FIRST_RADIUS * float(np.sqrt(criterion.size))
    at, step, stop = minimise(objective, first, goals.max_evals, radius=radius, smallest=_SMALLEST_RADIUS)
    snapped = with_zeros(criterion.layout, at.point.vector[: criterion.m])
    if stop is Stop.CONVERGED and snapped is not None:
        vector = np.concatenate([snapped, at.point.vector[criterion.m :]])
        point = objective.evaluate(vector, at.point.mode.zeta)
        if point is not None:
            curvature = criterion.differentiate(point)
            at = objective.known_by_probes(Place(point, curvature, at.known, at.missing), at.signs)
    return objective.found(at, step, stop), at


def probed_covariances(criterion: ProbedCriterion, found: Found, at: Probed) -> Covariances:
    """Covariances of the estimates from differences of the score, by a few probes and sharper solutions."""
    engine, vector = criterion.engine, found.point.vector
    batches, engine.probes.batches = engine.probes.batches, min(engine.probes.batches, _BATCHES)
    tolerance, engine.probe_tolerance = engine.probe_tolerance, _SHARP
    try:
        point = criterion.evaluate(vector, found.point.mode.zeta)
        curvature = criterion.differentiate(point)
        size = np.abs(np.diagonal(curvature.hessian + at.known + at.missing))
        steps = _STEP * np.sqrt(2.0 / np.maximum(size, 1e-300))
        return covariances(criterion, point, curvature, steps)
    finally:
        engine.probes.batches, engine.probe_tolerance = batches, tolerance


def with_log_determinant(found: Found) -> tuple[Found, float, float]:
    """Put log|M| into the criterion; returns log|M| and the error of the criterion too."""
    logdet, error = _factor(found.point).log_determinant()
    return replace(found, point=replace(found.point, criterion=found.point.criterion + logdet)), logdet, error


def monte_carlo_of(criterion: ProbedCriterion, at: Probed, goals: Goals, seed: int, error: float) -> MonteCarlo:
    """Errors of the estimates, in the user's units; of psi in the place of sigma^2, where there is one."""
    problem, engine, (m, p) = criterion.data.problem, criterion.engine, (criterion.m, criterion.p)
    theta, gamma = at.covariance[:m, :m], at.covariance[m : m + p, m : m + p]
    back = np.linalg.inv(criterion.data.root) if p else np.empty((0, 0))
    return MonteCarlo(
        theta_error=_root_diagonal(problem.from_block @ theta @ problem.from_block.T),
        beta_error=_root_diagonal(back @ gamma @ back.T),
        sigma2_error=float(np.sqrt(at.covariance[-1, -1])) if criterion.size > m + p else float("nan"),
        criterion_error=error,
        share=at.share,
        wanted=goals.mc_share,
        probes=engine.probes.number,
        seed=seed,
        solves=engine.effort.solves,
        cg_iterations=engine.effort.iterations,
    )


def _root_diagonal(covariance: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(np.diagonal(covariance), 0.0))


def _inverse(hessian: np.ndarray) -> np.ndarray:
    """Inverse on the directions of positive curvature."""
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    kept = values > _FLAT
    vectors = vectors[:, kept] / scale[:, None]
    return np.asarray((vectors / values[kept]) @ vectors.T)


def _factor(point: Point) -> StochasticFactored:
    factor: StochasticFactored = point.mode.factor  # type: ignore[assignment]
    return factor
