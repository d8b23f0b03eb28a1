"""Bootstrap replicates of fits with parameters of the residual covariance: each response is fitted by a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.inference.replicates import Block, Statistic, estimates_of, evaluate
from mixedsparse.inference.responses import fit_response, response_from

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["ResidualReplicates"]


class ResidualReplicates:
    """Responses drawn with the residual covariance of the fit; see `mixedsparse.inference.replicates.Replicator`."""

    size = 5

    def __init__(self, fitted: Fitted, statistic: Statistic | None) -> None:
        self.fitted, self.statistic = fitted, statistic
        self.width = len(estimates_of(fitted))

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """See `Replicator`."""
        moved = parametric_sampler(self.fitted.problem, self.fitted.fit)(seeds)
        more = 0 if self.statistic is None else len(self.statistic.names)
        values = np.full((len(seeds), self.width + more), np.nan)
        failures: dict[int, str] = {}
        for i, row in enumerate(moved):
            y = response_from(self.fitted, row)
            found = evaluate(
                lambda y=y: fit_response(self.fitted, y), self.statistic, values[:, self.width :], i, failures
            )
            if found is not None:
                values[i, : self.width] = estimates_of(found)
        values[list(failures)] = np.nan
        return Block(values, failures)
