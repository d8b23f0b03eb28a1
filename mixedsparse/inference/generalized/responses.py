"""Other responses of a generalized model: drawn from it, or given by a user."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.batch.draws import Sampler, response_sampler
from mixedsparse.core.likelihood.family import Family
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.families import DOMAINS
from mixedsparse.data.formula.alignment import aligned_part
from mixedsparse.data.formula.design import Design
from mixedsparse.data.formula.frames import natural
from mixedsparse.data.formula.kinds import is_factor
from mixedsparse.data.formula.responses import read_response
from mixedsparse.fitted.generalized import GeneralizedFitted, warn_of_generalized_search
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import AmbiguousResponseWarning, DataError, UnusedOptionWarning
from mixedsparse.inference.generalized.refits import fit_new_response

__all__ = ["own_sampler", "read_new_response", "refit_generalized", "rows_sampler", "warn_of_weights"]


def rows_sampler(
    family: Family,
    psi: float,
    mean: np.ndarray,
    prior: np.ndarray,
    terms: Sequence[RandomTerm],
    templates: Sequence[np.ndarray],
) -> Sampler:
    """Sampler of responses of rows with linear predictors `mean` (n,) + Z b, as `Design.y` has them.

    `prior` (n,) holds trials of a binomial response, whose successes are counted, and prior weights of others.
    """
    warn_of_weights(family, prior)

    def respond(rng: np.random.Generator, moved: np.ndarray) -> np.ndarray:
        eta = mean + moved
        if not family.link.in_domain(eta).all():
            raise DataError(
                f"Simulated linear predictors leave the range of the {family.link.name} link, where there are no "
                "means: fit with a link that takes all numbers, such as 'log'."
            )
        drawn = family.draw(rng, prior, family.mean(eta), psi)
        return np.round(drawn * prior) if family.name == "binomial" else drawn

    return response_sampler(len(mean), terms, templates, respond)


def warn_of_weights(family: Family, prior: np.ndarray) -> None:
    """Warn where prior weights (n,) of counts, which belong to no distribution, cannot be used."""
    if DOMAINS[family.name] == "counts" and (prior[~np.isnan(prior)] != 1.0).any():
        warnings.warn(
            "Prior weights of counts multiply the log-likelihood and belong to no distribution: draws and quantiles of "
            "the response are without them.",
            UnusedOptionWarning,
            stacklevel=user_level(),
        )


def own_sampler(fitted: GeneralizedFitted, redraw: bool = True) -> Sampler:
    """Sampler of responses of the rows of the fit, random effects drawn anew or kept at their modes."""
    prior = np.ones(fitted.nobs) if fitted.weights is None else fitted.weights
    if not redraw:
        return rows_sampler(fitted.family, fitted.psi, fitted.linear_predictor, prior, (), ())
    mean = fitted.X @ fitted.fit.beta
    offset = fitted.design.offset
    return rows_sampler(
        fitted.family,
        fitted.psi,
        mean if offset is None else mean + offset,
        prior,
        fitted.problem.terms,
        fitted.fit.templates,
    )


def refit_generalized(fitted: GeneralizedFitted, y: Any) -> GeneralizedFitted:
    """Fit the model to another response; see `GeneralizedResults.refit`."""
    fitted.needs_optimum("A refit")
    again = fit_new_response(fitted, read_new_response(fitted, y))
    warn_of_generalized_search(again)
    return again


def read_new_response(fitted: GeneralizedFitted, y: Any) -> np.ndarray:
    """Y as `Design.y` has it, (n,), checked: in every form that the response of such a model may have."""
    design, n = fitted.design, fitted.nobs
    label = str(getattr(y, "name", "y") if getattr(y, "name", None) is not None else "y")
    if isinstance(y, Mapping | Set | str | bytes | type) or not hasattr(y, "__len__"):
        raise DataError(f"The new response must be one column of {n} values, not {type(y).__name__}.")
    what = f"the new response {label!r}"
    values = aligned_part(y, design.index, what)
    values = values.array if isinstance(values, pd.Series) else values
    values = values if isinstance(values, pd.Categorical) else as_array(values, what)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if len(values) != n:
        left_out = f" ({design.nmissing} rows with missing values were left out)" if design.nmissing else ""
        raise DataError(
            f"The new response {label!r} has {len(values)} rows, but {n} were fitted{left_out}: give one value per "
            "fitted row, or a Series on the index of the data."
        )
    if pd.isna(values).any():
        raise DataError(f"The new response {label!r} has missing values in fitted rows: fill them, or fit anew.")
    values = natural(values)
    if values.ndim == 1 and _counts(values, design):
        values = np.column_stack([values, design.trials - values])
    trials = None if values.ndim == 2 else design.trials
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AmbiguousResponseWarning)  # said when the model was fitted
        found = read_response(values, label, DOMAINS[fitted.family.name], trials)
    if values.ndim == 1 and design.trials is not None and is_factor(values, what):
        _check_event(found.label, design.response, label)
    if found.trials is not None and (found.trials != design.trials).any():
        row = int(np.argmax(found.trials != design.trials))
        raise DataError(
            f"The new response {label!r} has {found.trials[row]:g} trials in row {row}, where the fit has "
            f"{design.trials[row] if design.trials is not None else 0:g}: other trials are other data, fit them anew."
        )
    return found.values


def _check_event(new: str, old: str, label: str) -> None:
    """Refuse levels of which another one than in the fit is the event."""
    if " = " not in new:  # truth values, whose event is True
        return
    found, known = (text.removesuffix(")").rpartition(" = ")[2] for text in (new, old))
    if found != known:
        raise DataError(
            f"The event of the new response {label!r} is {found!r}, that of the fit {old}: give 0 and 1, or levels in "
            "the order of the fit, the event second."
        )


def _counts(values: Any, design: Design) -> bool:
    """Whether a column holds nothing but 0 and 1 where rows have several trials: these count successes.

    They are proportions if they are those of the fit, which has read them so.
    """
    trials = design.trials
    if trials is None or (trials == 1).all() or np.asarray(values).dtype.kind not in "biuf":
        return False
    return bool(np.isin(values, (0, 1)).all()) and not np.array_equal(values, design.y / trials)
