"""Likelihood ratios of two nested models where the smaller one holds: the bootstrap in place of chi-square.

Source: Halekoh & Hojsgaard (2014), J. Stat. Softw. 59(9), section 5 (``PBmodcomp``); Davison & Hinkley (1997), section
4.2, for p = (1 + replicates at least as large) / (1 + replicates).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.core.batch.responses import Projector
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.fitting.replicate import Refitter
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning
from mixedsparse.ground.progress import CountOption
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.replicates import Block, Replicator, in_tasks, run_blocks

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Ratios", "Tail", "bootstrap_tail"]

# Replicates of one task, and numbers of its responses.
_LARGEST_TASK = 125
_TASK_NUMBERS = 2_000_000
# Likelihood ratios that differ by less are equal: both searches end this close to the optimum.
_EQUAL = 1e-6


@dataclass(frozen=True, slots=True)
class Tail:
    """A bootstrap p-value, and the number of replicates that it rests on."""

    p: float
    replicates: int


class Ratios:
    """Draws responses from the smaller model and fits both; a block holds the likelihood ratios (b, 1)."""

    def __init__(self, models: Sequence[Fitted], fits: Sequence[Fit]) -> None:
        self.models, self.fits = models, fits
        for model in models:
            model.needs_plain("test='bootstrap'", "Use test='chisq', or refit() both to simulate() of the smaller.")
        self.refitters = [Refitter(m.model.engine(), fit) for m, fit in zip(models, fits, strict=True)]
        self.projectors = [Projector(m.model.problem) for m in models]
        self.size = max(1, min(_LARGEST_TASK, _TASK_NUMBERS // models[0].nobs))

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """One likelihood ratio per seed; see `Replicator`."""
        small, fit = self.models[0], self.fits[0]
        design, problem = small.model.design, small.model.problem
        mean = design.X[:, problem.basis.kept] @ fit.beta
        drawn = mean + (0.0 if design.offset is None else design.offset) + parametric_sampler(problem, fit)(seeds)
        criteria, failures = [], {}
        for model, refitter, projector in zip(self.models, self.refitters, self.projectors, strict=True):
            offset = model.model.design.offset
            with blas_threads(refitter.engine.work):
                refits = refitter(projector(drawn if offset is None else drawn - offset)[0])
            criteria.append(refits.criterion)
            failures |= refits.failures
        ratio = np.maximum(criteria[0] - criteria[1], 0.0)
        ratio[list(failures)] = np.nan
        return Block(ratio[:, None], failures)


def bootstrap_tail(
    ratios: Replicator, observed: float, seeds: Sequence[np.random.SeedSequence], n_jobs: int, progress: CountOption
) -> Tail:
    """Share of likelihood ratios under the smaller model that are at least that of the data.

    Parameters
    ----------
    ratios : Replicator
        Makes likelihood ratios, (b, 1) a block.
    observed : float
        That of the data.
    seeds : sequence of SeedSequence
        One per replicate.
    n_jobs, progress
        See `MixedResults.bootstrap`.
    """
    blocks = run_blocks(ratios, in_tasks(seeds, ratios.size), n_jobs, progress, "bootstrap")
    found = np.concatenate([block.values[:, 0] for block in blocks])
    used = found[np.isfinite(found)]
    if len(used) < len(seeds):
        reasons = [reason for block in blocks for reason in block.failures.values()]
        why = f"the first failed: {reasons[0]}" if reasons else "the bootstrap was interrupted."
        warnings.warn(
            f"The p-value rests on {len(used)} of {len(seeds)} bootstrap replicates; {why}",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    return Tail(float((1 + (used >= observed - _EQUAL).sum()) / (1 + len(used))), len(used))
