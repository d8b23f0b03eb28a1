"""Profiles of maximum-likelihood fits with structured covariances of effects or of residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.batch.profile_paths import Branch, Path, Stop, join
from mixedsparse.ground.errors import NotPositiveDefiniteError
from mixedsparse.inference.held.quantities import Held, hold
from mixedsparse.inference.held.search import Solved, observed_correction, search, tangent
from mixedsparse.inference.held.surface import Surface
from mixedsparse.inference.parameters import Parameter, parameter_values
from mixedsparse.inference.residual_parameters import quantities

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Follow", "Followed", "is_residual"]


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """One profile: its coordinate, its path or None where the likelihood is flat, and all parameters along it."""

    chart: ProfileChart
    path: Path | None
    values: np.ndarray


class Follow:
    """Follows the profile of one parameter in both directions; it is sent to the workers.

    Parameters
    ----------
    fitted : Fitted
        By maximum likelihood.
    known : sequence of Parameter
        All that there are.
    cutoff : float
    """

    def __init__(self, fitted: Fitted, known: Sequence[Parameter], cutoff: float) -> None:
        self.fitted, self.known, self.cutoff = fitted, known, cutoff
        self._made: dict[int | None, tuple[Surface, np.ndarray, np.ndarray]] = {}

    def __getstate__(self) -> dict[str, object]:
        """State without what engines are in."""
        return {**self.__dict__, "_made": {}}

    def _surface(self, coefficient: int | None) -> tuple[Surface, np.ndarray, np.ndarray]:
        """Surface, optimum, and correction of the Hessian there; kept but for those of coefficients."""
        if coefficient is None and coefficient in self._made:
            return self._made[coefficient]
        surface = Surface(self.fitted, coefficient)
        vector = surface.optimum()
        found = surface, vector, observed_correction(surface, surface.evaluate(vector))
        if coefficient is None:
            self._made[coefficient] = found
        return found

    def __call__(self, parameter: Parameter) -> Followed:
        """Follow one profile."""
        surface, vector, correction = self._surface(parameter.places[0] if parameter.kind == "fixed" else None)
        held = hold(surface, parameter, vector)
        if held.is_flat(vector):
            return Followed(held.chart, None, np.empty((0, len(self.known))))
        place = surface.evaluate(vector)
        minimum = place.value
        _, about = surface.differentiate(place)
        centre = Solved(place, 0.0, about + correction, held.slope(vector), correction, True)
        branches, vectors, gammas = [], [], []
        for sign in (-1, 1):
            branch, passed = self._branch(held, sign, centre, minimum)
            branches.append(branch)
            vectors.append(passed)
        path = join(*branches)
        every = [*vectors[0][:0:-1], *vectors[1]]
        gammas = [stop.gamma for stop in [*branches[0].stops[:0:-1], *branches[1].stops]]
        return Followed(held.chart, path, self._values(surface, every, gammas))

    def _branch(self, held: Held, sign: int, centre: Solved, minimum: float) -> tuple[Branch, list[np.ndarray]]:
        """Follow one direction; also the vectors of the stops."""
        vector = centre.place.vector
        moved, bend = tangent(centre)
        u = held.coordinate(vector)
        slope, x = math.sqrt(max(0.5 * bend, 0.0)), np.append(vector, u)
        gamma = centre.place.pls.gamma
        branch = Branch(held.chart, sign, [Stop(u, 0.0, slope, minimum, x, gamma, np.append(moved, 1.0))])
        vectors, correction = [vector], centre.correction
        while not branch.finished(self.cutoff):
            stop, solved = self._stop(held, sign, branch.propose(), correction, minimum)
            before = len(branch.stops)
            branch.receive(stop, solved is not None and solved.converged)
            if len(branch.stops) > before and solved is not None:
                vectors.append(solved.place.vector)
                correction = solved.correction
        return branch, vectors

    def estimates(self) -> np.ndarray:
        """Values of all parameters at the optimum."""
        surface = Surface(self.fitted)
        fit = self.fitted.fit
        return self._values(surface, [surface.optimum()], [fit.search.pls.gamma])[0]

    @staticmethod
    def _stop(
        held: Held, sign: int, x: np.ndarray, correction: np.ndarray, minimum: float
    ) -> tuple[Stop, Solved | None]:
        """Optimise all else at u = x[-1], from there."""
        u = float(x[-1])
        try:
            solved = search(held, x[:-1], u, correction)
        except (NotPositiveDefiniteError, np.linalg.LinAlgError):
            return Stop(u, math.inf, 0.0, math.inf, x, np.empty(0), np.zeros_like(x)), None
        zeta = sign * math.sqrt(max(solved.place.value - minimum, 0.0))
        moved, _ = tangent(solved)
        slope = solved.pull / (2.0 * zeta) if zeta else 0.0
        at = np.append(solved.place.vector, u)
        stop = Stop(u, zeta, slope, solved.place.value, at, solved.place.pls.gamma, np.append(moved, 1.0))
        return stop, solved

    def _values(self, surface: Surface, vectors: Sequence[np.ndarray], gammas: Sequence[np.ndarray]) -> np.ndarray:
        """Values (points, parameters) of all parameters."""
        beta = np.array([surface.problem.basis.beta(gamma) for gamma in gammas])
        sigma = np.exp([vector[surface.log_sigma] for vector in vectors])
        every = [surface.covariances(vector) for vector in vectors]
        covariances = [np.array([own[t] for own in every]) for t in range(len(surface.problem.terms))]
        plain = [p for p in self.known if not is_residual(p)]
        values = parameter_values(plain, beta, covariances, sigma)
        side, rest = surface.fitted.design.residual, [p for p in self.known if is_residual(p)]
        if side is None or not rest:
            return values
        place = slice(surface.m, surface.log_sigma)
        own = np.array([[q.value for q in quantities(side, vector[place])] for vector in vectors])
        units = np.array([[s if p.kind == "sd" else 1.0 for p in rest] for s in sigma])
        return np.hstack([values, own[:, [p.number for p in rest]] * units])


def is_residual(parameter: Parameter) -> bool:
    """Whether a parameter is one of the residual covariance but for sigma."""
    return parameter.term < 0 and parameter.kind in ("sd", "cor", "log variance")
