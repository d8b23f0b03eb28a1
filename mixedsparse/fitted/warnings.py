"""What a fit warns of: at the line that asked for it, and only of what its user can act on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.batch.accuracy import LOST
from mixedsparse.core.fitting.estimates import Fit, MonteCarlo
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.problem.problem import Problem
from mixedsparse.fitted.origins import left_out_before
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import (
    BinaryResponseWarning,
    ConvergenceWarning,
    CountResponseWarning,
    DroppedColumnsWarning,
    DroppedRowsWarning,
    FarFromZeroWarning,
    NotIdentifiedWarning,
    OutOfRangeWarning,
    RoundingWarning,
    SingularFitWarning,
)

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.data.formula.design import Design

__all__ = ["warn_of_data", "warn_of_probes", "warn_of_range", "warn_of_response", "warn_of_rounding", "warn_of_search"]

# Standard deviation over mean of a covariate below which it is far from 0; the same where dependent columns were left
# out, which its products may be.
_FAR, _FAR_IF_DROPPED = 5e-8, 1e-5
# The same of what rounding leaves of a constant.
_CONSTANT = 1e-14


def warn_of_range(family: Family, eta: np.ndarray) -> None:
    """Warn of linear predictors (r,) where the link has no mean."""
    outside = int((np.isfinite(eta) & np.isnan(family.mean(eta))).sum())
    if outside:
        warnings.warn(
            f"{outside} of {len(eta)} linear predictors lie where the {family.link.name} link has no mean, which "
            f"is NaN: the model cannot be carried that far. Predict on type='link', or fit with link='log'.",
            OutOfRangeWarning,
            stacklevel=user_level(),
        )


def warn_of_data(design: Design, problem: Problem, dropped_columns: Sequence[str]) -> None:
    """Warn of rows and columns that are left out, and of covariates far from 0."""
    level = user_level()
    left_out = design.nmissing - left_out_before(design)
    if left_out:
        warnings.warn(
            f"{left_out} row{'s' * (left_out > 1)} with missing values left out of the fit.",
            DroppedRowsWarning,
            stacklevel=level,
        )
    if dropped_columns:
        warnings.warn(
            f"Left out of X, being linear combinations of earlier columns: {', '.join(dropped_columns)}.",
            DroppedColumnsWarning,
            stacklevel=level,
        )
    far = _far_from_zero(design, problem, _FAR_IF_DROPPED if dropped_columns else _FAR)
    if far:
        names = " and ".join(far)
        warnings.warn(
            f"{names}: as far from 0 as {1.0 / min(far.values()):.0e} standard deviations. Rounding costs digits, and "
            f"the variance of a slope may be lost: centre {names}, e.g. subtract the mean. Where an intercept stands "
            "beside it, and is correlated with it, the model is the same.",
            FarFromZeroWarning,
            stacklevel=level,
        )


def _far_from_zero(design: Design, problem: Problem, limit: float) -> dict[str, float]:
    """Columns, fixed or random, whose standard deviation is less than `limit` times their mean."""
    fixed, *random = problem.spreads
    names = [design.x_names[i] for i in problem.basis.kept]
    sides = [(term.columns, shares) for term, shares in zip(problem.terms, random, strict=True)]
    if names and names[0] == "Intercept":
        sides.append((tuple(names), fixed))
    close = [(columns, shares) for columns, shares in sides if shares.min() < limit]
    return {
        name: float(share)
        for columns, shares in close
        for name, share in zip(columns, shares, strict=True)
        if _CONSTANT < share < limit
    }


def warn_of_response(design: Design) -> None:
    """Warn when the response holds zeros and ones only, or counts."""
    if design.observed.is_counted:
        warnings.warn(
            f"The response {design.response!r} looks like counts, and a linear model was fitted to it: it takes the "
            "variance to be the same at every mean, and may predict less than 0. For a model of counts write "
            "mixedsparse.glmer(formula, data, 'poisson') or 'negative_binomial'; if this is what you want: "
            "warnings.simplefilter('ignore', mixedsparse.CountResponseWarning).",
            CountResponseWarning,
            stacklevel=user_level(),
        )
    if design.observed.is_binary:
        warnings.warn(
            f"The response {design.response!r} is 0 or 1 in all rows, and a linear model was fitted to it: its "
            "coefficients are differences in probability, and predictions may leave the range from 0 to 1. For a "
            "logistic model write mixedsparse.glmer(formula, data); if this is what you want: "
            "warnings.simplefilter('ignore', mixedsparse.BinaryResponseWarning).",
            BinaryResponseWarning,
            stacklevel=user_level(),
        )


def warn_of_rounding(error: float, what: str) -> None:
    """Warn where `what` goes by sums over levels whose rounding leaves too large an `error` in the criterion."""
    if error > LOST:
        amount = f"of about {error:.1g}" if np.isfinite(error) else "without bound"
        warnings.warn(
            f"{what} goes by sums over levels, in which rounding leaves an error {amount} in the criterion: the random "
            "effects reproduce the response, or a column of X, almost exactly, or weights are decades apart. Numbers "
            "are in doubt: leave out terms that fit so closely, or subtract a constant from a response far from 0.",
            RoundingWarning,
            stacklevel=user_level(),
        )


def warn_of_search(fit: Fit) -> None:
    """Warn of a search that stopped early or on the boundary, of a flat or unbounded criterion, and of few probes."""
    certificate, level = fit.certificate, user_level()
    if not certificate.converged:
        warnings.warn(certificate.message, ConvergenceWarning, stacklevel=level)
    elif certificate.unidentified:
        warnings.warn(certificate.message, NotIdentifiedWarning, stacklevel=level)
    elif certificate.unbounded:
        warnings.warn(certificate.message, ConvergenceWarning, stacklevel=level)
    elif certificate.boundary:
        warnings.warn(certificate.message, SingularFitWarning, stacklevel=level)
    errors = fit.monte_carlo
    if errors is not None and np.isnan(fit.criterion) and fit.search.stop is not Stop.INTERRUPTED:
        warnings.warn(
            "The log-likelihood was interrupted: the criterion, AIC and BIC are NaN; the estimates do not rest on it. "
            "Fit again with start=fit.theta for all of them.",
            ConvergenceWarning,
            stacklevel=level,
        )
    warn_of_probes(errors)


def warn_of_probes(errors: MonteCarlo | None) -> None:
    """Warn where random probes left more than the Monte-Carlo error asked for."""
    if errors is not None and errors.share > errors.wanted:
        warnings.warn(
            f"With {errors.probes} probes the Monte-Carlo error is {errors.share:.1%} of a standard error, more than "
            f"mc_share={errors.wanted}: see fit.monte_carlo, or use method='direct' where memory allows.",
            ConvergenceWarning,
            stacklevel=user_level(),
        )
