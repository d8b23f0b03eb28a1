"""Likelihood ratios of two nested generalized models where the smaller one holds, by simulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.inference.generalized.refits import fit_new_response, start_of
from mixedsparse.inference.generalized.responses import own_sampler
from mixedsparse.inference.replicates import Block, evaluate

__all__ = ["GeneralizedRatios"]

# Replicates of one task.
_TASK = 25


class GeneralizedRatios:
    """Draws responses from the smaller model and fits both; a block holds the likelihood ratios (b, 1)."""

    size = _TASK

    def __init__(self, small: GeneralizedFitted, large: GeneralizedFitted) -> None:
        self.models = small, large
        self.starts = start_of(small), start_of(large)

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """One likelihood ratio per seed; see `mixedsparse.inference.replicates.Replicator`."""
        criteria, failures = np.full((len(seeds), 2), np.nan), {}
        for i, y in enumerate(own_sampler(self.models[0])(seeds)):
            for j in range(2):
                evaluate(lambda y=y, j=j: self._refit(y, j), _criterion, criteria[:, j : j + 1], i, failures)
                if i in failures:
                    break
        return Block(np.maximum(criteria[:, :1] - criteria[:, 1:], 0.0), failures)

    def _refit(self, y: np.ndarray, j: int) -> GeneralizedFitted:
        return fit_new_response(self.models[j], y, self.starts[j], errors=False)


def _criterion(fitted: GeneralizedFitted) -> np.ndarray:
    return np.array([fitted.criterion])
