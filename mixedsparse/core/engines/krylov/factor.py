"""M(theta) for an engine that solves by iteration, with what random probes tell of it: traces and log|M|."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mixedsparse.core.engines.krylov.forms import known_forms, sampled_forms
from mixedsparse.core.engines.krylov.lanczos import log_determinant
from mixedsparse.core.engines.krylov.preconditioner import make_coarse
from mixedsparse.core.engines.krylov.probes import Probes, estimate
from mixedsparse.core.engines.krylov.solver import KrylovSolver, Shared
from mixedsparse.core.likelihood.interface import KnownForms, Pattern, SampledForms, SampledTraces
from mixedsparse.ground.errors import BackendError

__all__ = ["KrylovFactored"]

Vectors = list[np.ndarray]
# Directions that enrichment looks for, memory that each array of them may take, accuracy of the rough solutions, and
# eigenvalue of P^-1 S below which a direction counts as slow.
_RICH, _RICH_BYTES, _ROUGH, _SLOW = 192, 3e8, 0.05, 0.5


class KrylovFactored(KrylovSolver):
    """See `mixedsparse.core.likelihood.interface.StochasticFactored`."""

    knows_all_levels = False

    def __init__(self, engine: Shared, probes: Probes, lams: Sequence[np.ndarray]) -> None:
        super().__init__(engine, lams)
        self.probes = probes
        self._estimate: SampledTraces | None = None
        self._solutions: list[np.ndarray] = []

    def estimate(self) -> SampledTraces:
        """Estimate the sums of the diagonal blocks of Z'V_0^-1 Z by all probes in use, each solved for once."""
        if self._estimate is None or len(self._estimate.samples[0]) < self.probes.number:
            keep = self._solutions if self.engine.keeps_solutions else None
            self._estimate = estimate(self, self.probes, self._estimate, keep)
        return self._estimate

    def leverages(self) -> Iterator[SampledForms]:
        """Yield what the probes tell of Lambda M^-1 Lambda', batch by batch, by the solutions that are kept."""
        self.estimate()
        for batch, solved in enumerate(self._solutions):
            yield sampled_forms(self, self.probes.draw(batch), solved)

    def known_forms(self) -> KnownForms:
        """Return the part of Lambda M^-1 Lambda' at the levels of a row that needs no probe."""
        return known_forms(self)

    def traces(self) -> list[np.ndarray]:
        """Estimate the sums over levels of the diagonal blocks of Z'V_0^-1 Z Lambda, (K, K) per block."""
        return [mean @ lam for mean, lam in zip(self.estimate().means, self.lams, strict=True)]

    def log_determinant(self) -> tuple[float, float]:
        """log|M|, and the standard deviation of its error."""
        return log_determinant(self, self.probes)

    def enrich(self) -> None:
        """Add the slowest directions of S at this theta to the coarse space: weakly linked communities, say.

        They are read off rough solutions for random right-hand sides (Halko, Martinsson & Tropp 2011, SIAM Review 53,
        217-288, section 4.5), drawn apart from the probes: what depends on these would bias them.
        """
        engine = self.engine
        columns = min(_RICH, int(_RICH_BYTES / (8 * engine.system.size)))
        start = self.probes.generator(1).choice([-1.0, 1.0], size=(engine.system.size, columns))
        rough = self.invert(start, _ROUGH)
        found = make_coarse(self.apply, self.weigh, np.hstack([engine.space, rough]))
        # What the space had stays: as a control variate it serves where no direction is slow, too.
        engine.enrich(np.hstack([engine.space, found.basis[:, found.theta < _SLOW]]))
        # What rests on the old coarse space.
        self._coarse = self._estimate = None
        self._solutions = []

    def conditional_covariances(self) -> list[np.ndarray]:
        """Refuse: every level would need its own solution.

        Raises
        ------
        BackendError
            Always.
        """
        raise BackendError(
            "The iterative method has no conditional variances of all levels at once: each level needs its own "
            "solution. Ask for chosen levels, or fit with method='direct'."
        )

    def pattern_covariances(self) -> Pattern:
        """Refuse, as `conditional_covariances` does."""
        return self.conditional_covariances(), {}

    def projection(self) -> None:
        """W is never written out."""

    def scaled_projection(self, less: Vectors) -> None:
        """Nothing dense is at hand."""
