"""Parametric bootstrap of generalized models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.ground.checks import check_draws
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.bootstrap import Bootstrap, bootstrap_of
from mixedsparse.inference.generalized.deletions import estimates_without
from mixedsparse.inference.generalized.refits import fit_new_response, start_of
from mixedsparse.inference.generalized.responses import own_sampler
from mixedsparse.inference.parameters import parameters
from mixedsparse.inference.replicates import Block, Statistic, as_it_is, estimates_of, evaluate

__all__ = ["NewGeneralizedResponses", "generalized_bootstrap"]

# Replicates of one task.
_TASK = 25


def generalized_bootstrap(
    fitted: GeneralizedFitted,
    nsim: int = 1000,
    seed: int | None = None,
    *,
    n_jobs: int = 1,
    statistic: Callable[[Any], Any] | None = None,
    progress: CountOption = None,
    wrap: Callable[[Any], Any] = as_it_is,
) -> Bootstrap:
    """Bootstrap `fitted`; see `GeneralizedResults.bootstrap`. What `statistic` takes is made by `wrap`."""
    check_draws(nsim, seed)
    fitted.needs_optimum("A bootstrap")
    fitted.needs("factor", "The bootstrap", "Refit simulated responses one by one: refit(simulate(1, seed)[0])")
    named = None if statistic is None else Statistic(statistic, wrap, fitted)
    replicator = NewGeneralizedResponses(fitted, named)
    return bootstrap_of(
        fitted, replicator, named, nsim, seed, "parametric", n_jobs, progress, wrap, without=estimates_without
    )


class NewGeneralizedResponses:
    """Replicates with responses drawn from the fit; each search starts at its optimum."""

    size = _TASK

    def __init__(self, fitted: GeneralizedFitted, statistic: Statistic | None) -> None:
        self.fitted, self.statistic = fitted, statistic
        self.start = start_of(fitted)
        self.columns = len(parameters(fitted))

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """See `mixedsparse.inference.replicates.Replicator`."""
        extra = 0 if self.statistic is None else len(self.statistic.names)
        values, failures = np.full((len(seeds), self.columns + extra), np.nan), {}
        for i, y in enumerate(own_sampler(self.fitted)(seeds)):
            evaluate(lambda y=y: self._refit(y), self._numbers, values, i, failures)
        return Block(values, failures)

    def _refit(self, y: np.ndarray) -> GeneralizedFitted:
        # Standard errors cost as much as the search: only a statistic may ask for them.
        return fit_new_response(self.fitted, y, self.start, errors=self.statistic is not None)

    def _numbers(self, fitted: GeneralizedFitted) -> np.ndarray:
        own = estimates_of(fitted)
        return own if self.statistic is None else np.concatenate([own, self.statistic(fitted)])
