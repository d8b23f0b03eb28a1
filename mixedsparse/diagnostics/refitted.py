"""Residuals of simulated responses that are fitted anew, each over the standard deviation of its own fit."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.batch.draws import parametric_sampler
from mixedsparse.diagnostics.residuals import residual_values
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning
from mixedsparse.ground.progress import CountOption
from mixedsparse.inference.replicates import Block, evaluate, in_tasks, run_blocks
from mixedsparse.inference.responses import fit_response, response_from

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["own_scale_residuals", "refitted_residuals"]

# Responses that one task draws and fits.
_TASK = 25


def own_scale_residuals(fitted: Fitted, random: str) -> np.ndarray:
    """Residuals (n,) over the standard deviations that the fit gives them, no units.

    Given the modes over that of the errors; marginal ones over the root of the diagonal of V.
    """
    problem, fit = fitted.problem, fitted.fit
    root = 1.0 if problem.root_weights is None else problem.root_weights
    kind = "conditional" if random == "conditional" else "marginal"
    spread = np.ones(problem.n)
    if random != "conditional":
        for term, lam in zip(problem.terms, fit.templates, strict=True):
            spread += term.variances(lam) * np.square(root)
    return np.asarray(residual_values(fitted, kind) * root / np.sqrt(fit.sigma2 * spread))


class _Refits:
    """Draws responses, one per seed, fits them and returns their residuals; it is sent to the workers."""

    def __init__(self, fitted: Fitted, random: str) -> None:
        self.fitted, self.random = fitted, random

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        fitted = self.fitted
        moved = parametric_sampler(fitted.problem, fitted.fit)(seeds)
        values, failures = np.full(moved.shape, np.nan), {}
        for i, one in enumerate(moved):
            y = response_from(fitted, one)
            again = evaluate(lambda y=y: fit_response(fitted, y, start=fitted.fit.theta), None, values, i, failures)
            if again is not None:
                values[i] = own_scale_residuals(again, self.random)
        return Block(values, failures)


def refitted_residuals(
    fitted: Fitted,
    seeds: Sequence[np.random.SeedSequence],
    random: str,
    n_jobs: int,
    progress: CountOption,
) -> np.ndarray:
    """Residuals (B, n) of simulated responses, all parameters estimated for each; those that failed are left out."""
    blocks = run_blocks(_Refits(fitted, random), in_tasks(seeds, _TASK), n_jobs, progress, "refits")
    values = np.vstack([block.values for block in blocks])
    failed = np.isnan(values).any(axis=1)
    if failed.any():
        reason = next(iter(reason for block in blocks for reason in block.failures.values()))
        warnings.warn(
            f"{failed.sum()} of {len(values)} simulated responses could not be fitted and are left out; the first: "
            f"{reason}",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    if len(values) < len(seeds):
        warnings.warn(
            f"The refits were interrupted: {len(values)} of {len(seeds)} simulated responses are used.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
    return values[~failed]
