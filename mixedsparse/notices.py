"""What a fit warns of: at the line that asked for it, and only of what its user can act on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from mixedsparse.caller import user_level
from mixedsparse.core.fit import Fit
from mixedsparse.errors import (
    BinaryResponseWarning,
    ConvergenceWarning,
    DroppedColumnsWarning,
    DroppedRowsWarning,
    SingularFitWarning,
)

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


def warn_of_binary(response: str, y: np.ndarray) -> None:
    """Warn when the response `y` (n,) holds zeros and ones only."""
    # Nearly every other response shows in its first rows.
    if _are_binary(y[:100]) and _are_binary(y):
        warnings.warn(
            f"The response {response!r} is 0 or 1 in all rows, and a linear model was fitted to it: its coefficients "
            "are differences in probability, and predictions may leave the range from 0 to 1. For a logistic model use "
            "e.g. lme4's glmer or bambi; if this is what you want: "
            "warnings.simplefilter('ignore', mixedsparse.BinaryResponseWarning).",
            BinaryResponseWarning,
            stacklevel=user_level(),
        )


def _are_binary(values: np.ndarray) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def warn_of_search(fit: Fit) -> None:
    """Warn of a search that stopped early, ended on the boundary, or ran out of probes."""
    certificate, level = fit.certificate, user_level()
    if not certificate.converged:
        warnings.warn(certificate.message, ConvergenceWarning, stacklevel=level)
    elif certificate.boundary:
        warnings.warn(certificate.message, SingularFitWarning, stacklevel=level)
    errors = fit.monte_carlo
    if errors is not None and errors.share > errors.wanted:
        warnings.warn(
            f"With {errors.probes} probes the Monte-Carlo error is {errors.share:.1%} of a standard error, more than "
            f"mc_share={errors.wanted}: see fit.monte_carlo, or use method='direct' where memory allows.",
            ConvergenceWarning,
            stacklevel=level,
        )
