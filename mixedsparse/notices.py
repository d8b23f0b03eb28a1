"""What a fit warns of: at the line that asked for it, and only of what its user can act on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.caller import user_level
from mixedsparse.core.fit import Fit
from mixedsparse.core.outcome import Stop
from mixedsparse.errors import (
    BinaryResponseWarning,
    ConvergenceWarning,
    DroppedColumnsWarning,
    DroppedRowsWarning,
    NotIdentifiedWarning,
    SingularFitWarning,
)

if TYPE_CHECKING:
    from mixedsparse.formula.design import Design

__all__ = ["warn_of_binary", "warn_of_data", "warn_of_search"]


def warn_of_data(nmissing: int, dropped_columns: Sequence[str]) -> None:
    """Warn of rows and columns that are left out."""
    level = user_level()
    if nmissing:
        warnings.warn(
            f"{nmissing} row{'s' * (nmissing > 1)} with missing values left out of the fit.",
            DroppedRowsWarning,
            stacklevel=level,
        )
    if dropped_columns:
        warnings.warn(
            f"Left out of X, being linear combinations of earlier columns: {', '.join(dropped_columns)}.",
            DroppedColumnsWarning,
            stacklevel=level,
        )


def warn_of_binary(design: Design) -> None:
    """Warn when the response holds zeros and ones only."""
    if _is_binary(design):
        warnings.warn(
            f"The response {design.response!r} is 0 or 1 in all rows, and a linear model was fitted to it: its "
            "coefficients are differences in probability, and predictions may leave the range from 0 to 1. For a "
            "logistic model use e.g. lme4's glmer or bambi; if this is what you want: "
            "warnings.simplefilter('ignore', mixedsparse.BinaryResponseWarning).",
            BinaryResponseWarning,
            stacklevel=user_level(),
        )


def _is_binary(design: Design) -> bool:
    if design.plain is not None:  # the rows are in a source, which was asked while it was read
        return bool(getattr(design.source, "binary", False))
    # Nearly every other response shows in its first rows.
    return _are_binary(design.y[:100]) and _are_binary(design.y)


def _are_binary(values: np.ndarray) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def warn_of_search(fit: Fit) -> None:
    """Warn of a search that stopped early or on the boundary, of a flat criterion, few probes, or no criterion."""
    certificate, level = fit.certificate, user_level()
    if not certificate.converged:
        warnings.warn(certificate.message, ConvergenceWarning, stacklevel=level)
    elif certificate.unidentified:
        warnings.warn(certificate.message, NotIdentifiedWarning, stacklevel=level)
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
    if errors is not None and errors.share > errors.wanted:
        warnings.warn(
            f"With {errors.probes} probes the Monte-Carlo error is {errors.share:.1%} of a standard error, more than "
            f"mc_share={errors.wanted}: see fit.monte_carlo, or use method='direct' where memory allows.",
            ConvergenceWarning,
            stacklevel=level,
        )
