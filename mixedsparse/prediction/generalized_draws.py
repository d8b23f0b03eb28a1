"""New responses from a fit of a generalized model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.choose.memory import check_memory
from mixedsparse.ground.checks import MOST, check_draws
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.inference.generalized.responses import rows_sampler
from mixedsparse.prediction.rows import Rows, check_known, chosen_groups, per_row, read_rows, row_weights
from mixedsparse.prediction.simulate import drawn_terms, incomplete

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["row_prior", "simulate_generalized"]


def simulate_generalized(
    fitted: GeneralizedFitted,
    nsim: int = 1,
    seed: int | None = None,
    newdata: Any = None,
    random: str | Sequence[str] = "redraw",
    *,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
) -> pd.DataFrame:
    """Draw responses; see `GeneralizedResults.simulate`."""
    check_draws(nsim, seed)
    fitted.needs_optimum("A simulation")
    kept = chosen_groups(fitted, "population" if isinstance(random, str) and random == "redraw" else random)
    rows = read_rows(fitted, newdata, tuple(fitted.ngroups), (), offset)
    check_known(fitted, rows, kept, "Their random effects cannot be kept: use random='redraw' to draw new ones.")
    check_memory(24.0 * rows.n * nsim, f"{nsim:,} responses of {rows.n:,} rows", "ask for fewer at a time")
    prior = row_prior(fitted, rows, trials, weights)
    mean = rows.means(fitted, kept)
    complete = np.isfinite(mean) & np.isfinite(prior) & ~np.any([incomplete(new) for new in rows.terms], axis=0)
    out = np.full((rows.n, nsim), np.nan)
    if complete.any():
        drawn = drawn_terms(fitted, rows, complete, kept)
        sample = rows_sampler(fitted.family, fitted.psi, mean[complete], prior[complete], *drawn)
        out[complete] = sample(np.random.SeedSequence(seed).spawn(nsim)).T
    return pd.DataFrame(out, index=rows.index)


def row_prior(fitted: GeneralizedFitted, rows: Rows, trials: Any, weights: Any) -> np.ndarray:
    """Trials of a binomial response (r,), prior weights of others."""
    if fitted.family.name != "binomial":
        if trials is not None:
            raise OptionError(f"trials= belongs to binomial models; this one is {fitted.family.name}.")
        found = row_weights(fitted, rows, weights)
        return np.ones(rows.n) if found is None else found
    if trials is not None and weights is not None:
        raise OptionError("weights= and trials= both say how many trials a binomial row has: give one of them.")
    trials = weights if trials is None else trials
    if trials is not None:
        found = per_row(trials, rows.table, rows.index, "trials")
        wrong = ~np.isnan(found) & ((found < 1) | (found != np.round(found)) | (found >= MOST))
        if wrong.any():
            raise DataError(f"trials must be whole numbers from 1 to 2^31, not {found[wrong][0]:g}.")
        return found
    if rows.table is None:
        return np.ones(fitted.nobs) if fitted.weights is None else fitted.weights
    if fitted.model.several_trials is not None:
        raise DataError(
            "The fit has rows of several trials, and those of new rows are not known: give trials=, one number, one "
            "per row, or a column's name."
        )
    return np.ones(rows.n)
