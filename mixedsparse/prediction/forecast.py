"""What the residuals of a group's rows tell of further rows of the group.

With R_no the covariance of the residuals of new and observed rows, E(y_n | y) adds R_no R_oo^-1 e to x'beta + z'b, e
the conditional residuals (Goldberger 1962, J. Amer. Statist. Assoc. 57, 369-375).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.residual.across import NewPlaces, expected_residuals
from mixedsparse.data.formula.frames import missing_rows
from mixedsparse.data.formula.new_places import new_groups, new_order
from mixedsparse.data.formula.new_residuals import new_residuals
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import OptionError, UnusedOptionWarning
from mixedsparse.prediction.rows import Rows, prior_weights

if TYPE_CHECKING:
    from mixedsparse.data.formula.frames import Table
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["check_forecast", "forecast"]


def check_forecast(fitted: Fitted, interval: str | None, groups: Collection[str]) -> None:
    """Refuse what no residuals can be added to."""
    if fitted.model.residual is None or fitted.model.residual.groups is None:
        raise OptionError("residual=True is for models whose residuals are correlated, by residual=.")
    if interval is not None:
        raise OptionError("residual=True has no intervals: leave out interval=, or simulate() the model.")
    if set(fitted.ngroups).difference(groups):
        raise OptionError("residual=True goes with random='conditional': the residuals are those beside all effects.")


def forecast(fitted: Fitted, rows: Rows, weights: Any = None) -> np.ndarray:
    """R_no R_oo^-1 e (r,) in units of y; 0 for groups that the fit has not seen, e itself for the rows of the fit."""
    side, phi, whitener = fitted.design.residual, fitted.fit.residual, fitted.problem.whitener
    if rows.table is None:
        return fitted.residuals
    assert side is not None
    assert phi is not None
    assert whitener is not None
    own = fitted.design.weights
    root = np.ones(len(fitted.residuals)) if own is None else np.sqrt(own)
    precise = whitener.precision((root * fitted.residuals)[:, None])[:, 0]
    prior = prior_weights(fitted, rows, weights)
    spread = new_residuals(side, rows.table).spread(side.structure, phi)
    deviations = np.sqrt(spread) if prior is None else np.sqrt(spread / prior)
    groups = new_groups(side, rows.table)
    _warn_of_unread(fitted, rows.table, groups)
    places = NewPlaces(groups, new_order(side, rows.table), deviations)
    return expected_residuals(side.structure, phi, places, precise)


def _warn_of_unread(fitted: Fitted, table: Table, groups: np.ndarray) -> None:
    """Warn where rows of groups (r,) that the fit has not seen, -1, come with responses, which nothing reads."""
    encoding, side = fitted.design.encoding, fitted.design.residual
    names = [] if encoding is None else encoding.response_columns
    unseen = groups < 0
    if side is None or not unseen.any() or not names or not set(names) <= set(table.names):
        return
    raw = table.read(names, "the response")
    for absent in map(missing_rows, raw.values()):
        unseen = unseen if absent is None else unseen & ~absent
    count = int(unseen.sum())
    if count:
        what = "row of newdata is" if count == 1 else "rows of newdata are"
        warnings.warn(
            f"residual=True learns from the rows of the fit only: {count} {what} of groups {side.group!r} that it has "
            f"not seen, and the responses {', '.join(names)} there are not used, so that the means of these groups are "
            "those without their residuals. To use them, fit with these rows too, by update(data=...), and predict.",
            UnusedOptionWarning,
            stacklevel=user_level(),
        )
