"""The two ways to the optimum: by an engine that factorises, where every number is exact, and by random probes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mixedsparse.core.fitting.estimates import MonteCarlo
from mixedsparse.core.fitting.iterative_search import Goals
from mixedsparse.core.fitting.laplace.errors import Covariances, covariances
from mixedsparse.core.fitting.laplace.probed import (
    Probed,
    monte_carlo_of,
    probed_covariances,
    search_probed,
    with_log_determinant,
)
from mixedsparse.core.fitting.laplace.restarts import search_again
from mixedsparse.core.fitting.laplace.search import Found, search
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.likelihood.laplace.probed import ProbedCriterion
from mixedsparse.ground.options import FitOptions
from mixedsparse.ground.progress import Progress

__all__ = ["ByProbes", "Exact"]

_MOST_PROBES = 1024


class Exact:
    """A criterion that is evaluated exactly."""

    def __init__(self, criterion: LaplaceCriterion, options: FitOptions) -> None:
        self.criterion, self.options = criterion, options

    def search(self, start: np.ndarray, progress: Progress | None, watch: bool) -> Found:
        """Search from the vector `start`."""
        most, tolerance = self.options.max_evals, self.options.tolerance
        return search(self.criterion, start, max_evals=most, tolerance=tolerance, progress=progress, watch=watch)

    def search_again(self, found: Found, start: np.ndarray) -> Found:
        """Search from further starts where there may be another optimum."""
        return search_again(self.criterion, found, start, self.options)

    def covariances(self, found: Found) -> Covariances:
        """Covariances of the estimates."""
        return covariances(self.criterion, found.point, found.curvature)

    def ended(self, found: Found) -> tuple[Found, float, MonteCarlo | None]:
        """Return the end with its criterion, log|M|, and errors."""
        return found, found.point.mode.logdet, None


class ByProbes:
    """The score by random probes; the engine of `data` is for this fit alone."""

    def __init__(self, data: Data, options: FitOptions) -> None:
        assert data.engine.stochastic is not None
        engine = data.engine.stochastic
        engine.keeps_solutions = True
        most = max(_MOST_PROBES, engine.probes.per_batch)
        self.criterion = ProbedCriterion(data, engine)
        self.goals = Goals(options.max_evals, options.tolerance, options.mc_share, most)
        self.seed = options.seed
        self._end: Probed | None = None

    def search(self, start: np.ndarray, progress: Progress | None, watch: bool) -> Found:
        """See `Exact.search`."""
        found, self._end = search_probed(self.criterion, start, self.goals, progress, watch)
        return found

    def search_again(self, found: Found, start: np.ndarray) -> Found:
        """Leave it at the first end: there is no criterion to compare by."""
        return found

    def covariances(self, found: Found) -> Covariances:
        """See `Exact.covariances`."""
        assert self._end is not None
        return probed_covariances(self.criterion, found, self._end)

    def ended(self, found: Found) -> tuple[Found, float, MonteCarlo | None]:
        """See `Exact.ended`."""
        assert self._end is not None
        found, logdet, error = with_log_determinant(found)
        # Without a factor the derivatives of the modes are not made again.
        mode = replace(found.point.mode, motion=found.curvature.motion)
        found = replace(found, point=replace(found.point, mode=mode))
        return found, logdet, monte_carlo_of(self.criterion, self._end, self.goals, self.seed, error)
