"""Autocorrelation of residuals within groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.core.residual.grouped import Grouped
from mixedsparse.ground.checks import is_whole, one_of
from mixedsparse.ground.choices import Autocorrelated
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["autocorrelation", "ordered_groups"]

_KINDS: dict[Autocorrelated, Callable[[Fitted], np.ndarray]] = {
    "normalized": lambda fitted: fitted.normalized_residuals,
    "scaled": lambda fitted: fitted.scaled_residuals,
    "pearson": lambda fitted: fitted.scaled_residuals * fitted.sigma,
    "response": lambda fitted: fitted.residuals,
    "marginal": lambda fitted: fitted.marginal_residuals,
}


def autocorrelation(fitted: Fitted, kind: str, group: str | None, lags: int | None) -> pd.DataFrame:
    """Return correlations of rows by their distance in the order of a group; see `MixedResults.residual_acf`."""
    one_of("kind", kind, _KINDS)
    codes, within = ordered_groups(fitted, group)
    grouped = Grouped(codes, within)
    longest = int(grouped.counts.max()) - 1
    if lags is not None and not (is_whole(lags) and 0 <= lags):
        raise OptionError(f"lags={lags!r} must be a whole number that is not negative.")
    ordered, owner = grouped.sorted(_KINDS[kind](fitted)), grouped.sorted(codes)
    size = float(np.square(ordered).mean())
    rows = []
    for lag in range(min(longest, longest if lags is None else lags) + 1):
        pairs = owner[lag:] == owner[: len(owner) - lag]
        products = ordered[lag:][pairs] * ordered[: len(ordered) - lag][pairs]
        rows.append((lag, float(products.mean()) / size, len(products)))
    return pd.DataFrame(rows, columns=["lag", "acf", "pairs"])


def ordered_groups(fitted: Fitted, group: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the group of each row, (n,), and its place there; None, the order of the data, where none is known."""
    side = fitted.design.residual
    if side is not None and side.structure.groups is not None and group in (None, side.group):
        inner = getattr(side.structure, "inner", side.structure)
        return side.structure.groups, getattr(inner, "times", getattr(inner, "visits", None))
    names = fitted.terms_of
    if group is None and names:
        group = max(names, key=lambda name: fitted.problem.terms[names[name][0]].n_levels)
    if group not in names:
        known = ", ".join(map(repr, names)) or "none: give residual="
        raise OptionError(f"group={group!r} is not a grouping factor of the model: use {known}.")
    return fitted.problem.terms[names[group][0]].codes, None
