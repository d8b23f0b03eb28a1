"""Likelihood profiles of generalized models: one parameter held, all others optimised anew by the same search."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.core.batch.profile_paths import Branch, Path, Stop, join
from mixedsparse.core.fitting.laplace import minimise_within
from mixedsparse.core.fitting.laplace.errors import exact_hessian
from mixedsparse.core.likelihood.laplace.criterion import Curvature, Point
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import check_level
from mixedsparse.ground.errors import ConvergenceWarning, NotPositiveDefiniteError
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.curves import ProfileCurve
from mixedsparse.inference.generalized.charts import Held, Optimum, hold, optimum_of
from mixedsparse.inference.generalized.refits import check_maximum
from mixedsparse.inference.parameters import Parameter, parameter_values, parameters, select_parameters
from mixedsparse.inference.profile import Profile, warn_of_paths
from mixedsparse.inference.replicates import estimates_of
from mixedsparse.inference.workers import work_off

__all__ = ["generalized_profile"]

# A standard deviation below this leaves its correlations without meaning.
_NO_SPREAD = 1e-6
# Eigenvalues of the Hessian below this share of the largest lead nowhere.
_FLAT = 1e-10


class _Followed(NamedTuple):
    """A profile in coordinates, and the values (points, parameters) of all parameters along it."""

    held: Held
    path: Path
    values: np.ndarray


def generalized_profile(
    fitted: GeneralizedFitted,
    which: str | Iterable[str] = "all",
    *,
    level: float = 0.999,
    n_jobs: int = 1,
    progress: CountOption = None,
) -> Profile:
    """Profile the likelihood; see `GeneralizedResults.profile`."""
    check_level(level)
    check_maximum(fitted, "A profile of the likelihood")
    known = parameters(fitted)
    chosen = select_parameters(known, which)
    at = optimum_of(fitted)
    cutoff = float(ndtri(0.5 + 0.5 * level))
    follow = _Follow(fitted.model, at, known, fitted.criterion, cutoff)
    followed: list[_Followed | None] = []
    with blas_threads(fitted.model.engine().work), counter(progress, "profile") as tell:
        try:
            for found in work_off(follow, chosen, n_jobs):
                followed.append(found)
                tell(len(followed), len(chosen))
        except KeyboardInterrupt:
            if not followed:
                raise
            warnings.warn(
                f"The profile was interrupted: {len(chosen) - len(followed)} parameters are left out.",
                ConvergenceWarning,
                stacklevel=user_level(),
            )
    chosen = chosen[: len(followed)]
    paths = [None if one is None else one.path for one in followed]
    warn_of_paths(chosen, paths, fitted.criterion, fitted.fit.certificate, cutoff)
    names = [p.name for p in known]
    curves, tables = {}, []
    for parameter, one in zip(chosen, followed, strict=True):
        chart = hold(fitted.model, at, parameter).chart if one is None else one.held.chart
        curve = ProfileCurve.of(parameter, chart, None if one is None else one.path)
        curves[parameter.name] = curve
        values = np.empty((0, len(known))) if one is None else one.values
        values[:, names.index(parameter.name)] = curve.values
        head = {"parameter": [parameter.name] * len(values), "value": curve.values, "zeta": curve.zeta}
        tables.append(pd.concat([pd.DataFrame(head), pd.DataFrame(values, columns=names)], axis=1))
    best = pd.Series(estimates_of(fitted), index=names, name="estimate")
    how = "Laplace's approximation" if at.nodes == 1 else f"quadrature with {at.nodes} nodes"
    return Profile(pd.concat(tables, ignore_index=True), best, level, f"maximum likelihood by {how}", curves)


@dataclass(frozen=True, slots=True, eq=False)
class _Follow:
    """Follows the profile of one parameter in both directions; it is sent to the workers."""

    model: GeneralizedModel
    at: Optimum
    known: Sequence[Parameter]
    minimum: float
    cutoff: float

    def __call__(self, parameter: Parameter) -> _Followed | None:
        """None for a correlation of effects one of which has no variance: the likelihood is flat."""
        if parameter.kind == "cor":
            spread = np.diagonal(self.at.covariances[parameter.term])[list(parameter.places)]
            if spread.min() < _NO_SPREAD**2:
                return None
        held = hold(self.model, self.at, parameter)
        centre, mode = self._centre(held)
        branches, points = [], []
        for sign in (-1, 1):
            branch, passed = self._branch(held, sign, centre, mode)
            branches.append(branch)
            points.append(passed)
        every = [*points[0][:0:-1], *points[1]]
        return _Followed(held, join(*branches), self._values(held, parameter, every))

    def _centre(self, held: Held) -> tuple[Stop, Point]:
        """Return the optimum as a stop, and as a point."""
        criterion = held.criterion
        point = criterion.evaluate(held.start, criterion.at_rest())
        curvature = criterion.differentiate(point)
        exact = exact_hessian(criterion, point, curvature)
        curvature.hessian[:] = np.where(np.isfinite(exact), exact, curvature.hessian)
        tangent, bend = _tangent(held, held.u, held.start, curvature)
        x = np.append(held.coordinates(held.start), held.u)
        slope = math.sqrt(max(0.5 * bend, 0.0))
        return Stop(held.u, 0.0, slope, self.minimum, x, point.parameters.gamma, tangent), point

    def _branch(self, held: Held, sign: int, centre: Stop, point: Point) -> tuple[Branch, list[Point]]:
        """Follow one direction; the points are those of the stops."""
        branch = Branch(held.chart, sign, [centre])
        points = [point]
        while not branch.finished(self.cutoff):
            x = branch.propose()
            stop, reached, converged = self._stop(held, sign, x, points[-1])
            before = len(branch.stops)
            branch.receive(stop, converged)
            if len(branch.stops) > before and reached is not None:
                points.append(reached)
        return branch, points

    def _stop(self, held: Held, sign: int, x: np.ndarray, last: Point) -> tuple[Stop, Point | None, bool]:
        """Optimise the coordinates x[:-1] at u = x[-1], from there."""
        u = float(x[-1])
        piece = held.restricted(u, last.mode.zeta)
        try:
            inner, converged, _ = minimise_within(piece, x[:-1])
        except NotPositiveDefiniteError:
            return Stop(u, math.inf, 0.0, math.inf, x, np.empty(0), np.zeros_like(x)), None, False
        vector = piece.shift + piece.directions @ inner.vector
        zeta = sign * math.sqrt(max(inner.criterion - self.minimum, 0.0))
        curvature = held.criterion.differentiate(inner)
        tangent, _ = _tangent(held, u, vector, curvature)
        pull = float(curvature.gradient @ held.moved(u, vector))
        slope = pull / (2.0 * zeta) if zeta else 0.0
        moved = np.append(inner.vector, u)
        stop = Stop(u, zeta, slope, inner.criterion, moved, inner.parameters.gamma, tangent)
        return stop, inner, converged and held.keeps_signs(vector)

    def _values(self, held: Held, parameter: Parameter, points: Sequence[Point]) -> np.ndarray:
        """Values (points, parameters) of all parameters, in the order of effects of the model."""
        problem = held.criterion.data.problem
        covariances: list[list[np.ndarray]] = [[] for _ in problem.terms]
        for point in points:
            theta = problem.from_block @ point.parameters.theta
            for t, lam in enumerate(problem.theta_layout.templates(theta)):
                back = np.argsort(held.order) if t == parameter.term else np.arange(len(lam))
                covariances[t].append((lam @ lam.T)[np.ix_(back, back)])
        beta = np.array([held.criterion.data.beta(point.parameters.gamma) for point in points])
        scale = np.exp([point.parameters.psi for point in points])
        return parameter_values(self.known, beta, [np.array(own) for own in covariances], scale)


def _tangent(held: Held, u: float, vector: np.ndarray, curvature: Curvature) -> tuple[np.ndarray, float]:
    """Return d(x, u) / du (r + 1,) along the path, and the second derivative of the minimum in u."""
    directions, _ = held.piece(u)
    along = held.moved(u, vector)
    hessian = directions.T @ curvature.hessian @ directions
    mixed = directions.T @ (curvature.hessian @ along) + held.turned(u, curvature.gradient, directions.shape[1])
    values, vectors = np.linalg.eigh(hessian) if len(hessian) else (np.empty(0), np.empty((0, 0)))
    floor = _FLAT * np.abs(values).max(initial=0.0)
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=values > floor)
    moved = -vectors @ (inverse * (vectors.T @ mixed))
    return np.append(moved, 1.0), float(along @ curvature.hessian @ along + mixed @ moved)
