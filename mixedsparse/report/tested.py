"""Coefficients with their tests and limits, of linear and of generalized fits alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.intervals import conf_int
from mixedsparse.inference.wald import z_table

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["ddf_of", "tested_coefficients"]


def ddf_of(fitted: Fitted, ddf: str | None) -> str:
    """Return the degrees of freedom that were asked for, or the usual ones; tests of generalized fits are normal.

    Raises
    ------
    OptionError
        Others are asked for of a generalized fit.
    """
    if fitted.has_residual:
        return "satterthwaite" if ddf is None else ddf
    if ddf in (None, "normal"):
        return "normal"
    raise OptionError(f"ddf={ddf!r}: tests of a generalized fit are normal; leave ddf= out.")


def tested_coefficients(fitted: Fitted, ddf: str, level: float) -> pd.DataFrame:
    """Table of the coefficients, ``t`` or ``z`` and p, and limits ``lower`` and ``upper``."""
    if fitted.has_residual:
        limits = conf_int(fitted, 1.0 - level, ddf=ddf)
        return coef_table(fitted, ddf).join(limits[["lower", "upper"]])
    table = z_table(fitted)  # type: ignore[arg-type]
    half = t_quantile(np.array([np.inf]), level)[0] * table["SE"]
    return table.assign(lower=table["Estimate"] - half, upper=table["Estimate"] + half)
