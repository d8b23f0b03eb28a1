"""Residuals of generalized models as quantiles of simulated responses (R's DHARMa)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.diagnostics.scaled import ScaledResiduals, check_simulations, scaled_against
from mixedsparse.inference.generalized.responses import own_sampler

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["generalized_scaled_residuals"]

_DISCRETE = ("binomial", "poisson", "negative_binomial", "nb1")


def generalized_scaled_residuals(
    fitted: GeneralizedFitted, nsim: int = 250, seed: int | None = None, random: str = "redraw"
) -> ScaledResiduals:
    """Scale residuals by simulation; see `GeneralizedResults.scaled_residuals`."""
    fitted.needs_optimum("A simulation")
    check_simulations(fitted, nsim, seed, random)
    root = np.random.SeedSequence(None if seed is None else int(seed))
    assert isinstance(root.entropy, int)
    *seeds, last = root.spawn(nsim + 1)
    simulated = own_sampler(fitted, redraw=random == "redraw")(seeds)
    observed = fitted.design.y
    rng = np.random.default_rng(last)
    moments = _moment_tests(observed, simulated, counts=fitted.family.name in _DISCRETE[1:])
    if fitted.family.name in _DISCRETE:
        # Whole numbers are spread over the unit around them, so that none are equal and order is left to chance.
        observed = observed + rng.uniform(-0.5, 0.5, observed.shape)
        simulated = simulated + rng.uniform(-0.5, 0.5, simulated.shape)
    found = scaled_against(fitted, observed, simulated, rng, root.entropy, random)
    for name, row in moments.items():
        found.tests.loc[name] = row
    return found


def _moment_tests(
    observed: np.ndarray, simulated: np.ndarray, counts: bool
) -> dict[str, tuple[float, float, float, float]]:
    """Dispersion around the mean of the simulated responses, and the number of zeros of counts.

    Each is compared with the same statistic of every simulated response: statistic, its mean, p on two sides.
    """
    centre, spread = simulated.mean(axis=0), simulated.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    every = np.vstack([observed[None], simulated])
    rows = {"dispersion": np.square((every - centre) / spread).mean(axis=1)}
    if counts:
        rows["zeros"] = (every == 0).sum(axis=1).astype(float)
    return {name: (own[0], own[1:].mean(), _two_sided(own), np.nan) for name, own in rows.items()}


def _two_sided(statistics: np.ndarray) -> float:
    above, below = (statistics >= statistics[0]).mean(), (statistics <= statistics[0]).mean()
    return float(min(1.0, 2.0 * min(above, below)))
