"""Rubin's rules: one answer from fits to several completions of incomplete data.

Source: Rubin (1987), Multiple Imputation for Nonresponse in Surveys; degrees of freedom of Barnard & Rubin (1999),
Biometrika 86, 948-955.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import stdtr

from mixedsparse.ground.errors import DataError
from mixedsparse.ground.foreign import Answers
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.components import varcorr
from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.denominators import denominator

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Pooled", "pool_fits", "rubin"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Pooled(Answers):
    """Fits to completed data, pooled.

    Attributes
    ----------
    table : DataFrame
        A row per coefficient: ``Estimate``, ``SE``, ``df``, ``t``, ``p``, ``lower``, ``upper``; ``riv``, the relative
        increase of the variance by what is missing; ``lambda``, the share of the variance that is due to it; ``fmi``,
        the fraction of missing information.
    varcorr : DataFrame
        Standard deviations and correlations of the random effects and the residual: mean over the fits, and the
        standard deviation ``between`` them.
    m : int
        Number of fits.
    within, between : DataFrame, (p, p)
        Mean covariance of the coefficients, and covariance of the estimates over the fits.
    formula : str
    """

    table: pd.DataFrame
    varcorr: pd.DataFrame
    m: int
    within: pd.DataFrame
    between: pd.DataFrame
    formula: str

    @property
    def params(self) -> pd.Series:
        """Pooled coefficients."""
        return self.table["Estimate"].rename("params")

    @property
    def bse(self) -> pd.Series:
        """Their standard errors."""
        return self.table["SE"].rename("bse")

    def cov_params(self) -> pd.DataFrame:
        """Total covariance of the coefficients, (p, p): within + (1 + 1/m) between."""
        return self.within + (1.0 + 1.0 / self.m) * self.between

    def __repr__(self) -> str:
        head = f"{self.formula}, {self.m} completed data sets pooled by Rubin's rules"
        return f"{head}\n{self.table.to_string()}\n\n{self.varcorr.to_string()}"


def rubin(
    estimates: np.ndarray, variances: np.ndarray, df_complete: np.ndarray | float = np.inf
) -> dict[str, np.ndarray]:
    """Pool estimates (m, p) and their squared standard errors (m, p).

    Parameters
    ----------
    estimates, variances : ndarray, shape (m, p)
    df_complete : float or ndarray, shape (p,)
        Degrees of freedom that the data would have if nothing were missing.

    Notes
    -----
    With B the variance between, U within, T = U + (1 + 1/m) B and lambda = (1 + 1/m) B / T, the degrees of freedom are
    1 / (1 / old + 1 / observed), old = (m - 1) / lambda^2 and observed = (1 - lambda) nu (nu + 1) / (nu + 3), nu those
    of the complete data.
    """
    m = len(estimates)
    mean, within = estimates.mean(axis=0), variances.mean(axis=0)
    between = estimates.var(axis=0, ddof=1)
    added = (1.0 + 1.0 / m) * between
    total = within + added
    nu = np.broadcast_to(np.asarray(df_complete, dtype=float), mean.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        share, riv = added / total, added / within
        old = (m - 1) / np.square(share)
        observed = np.where(np.isinf(nu), np.inf, (nu + 1.0) / (nu + 3.0) * nu * (1.0 - share))
        df = 1.0 / (1.0 / old + 1.0 / observed)
        fmi = (riv + 2.0 / (df + 3.0)) / (riv + 1.0)
    return {"Estimate": mean, "SE": np.sqrt(total), "df": df, "riv": riv, "lambda": share, "fmi": fmi}


def pool_fits(fits: Sequence[Fitted], ddf: str, df_complete: float | None, level: float) -> Pooled:
    """See `mixedsparse.pool`."""
    first = fits[0]
    for number, fitted in enumerate(fits[1:], start=1):
        if fitted.x_names != first.x_names or fitted.has_residual != first.has_residual:
            raise DataError(
                f"Fit {number} has the coefficients {', '.join(fitted.x_names)}, fit 0 {', '.join(first.x_names)}: "
                "pool fits of one model to completions of the same data."
            )
    names = first.x_names
    tests = [contrast_tests(fitted, np.eye(len(names)), ddf) for fitted in fits]
    estimates = np.array([test.estimate for test in tests])
    nu = np.mean([test.df for test in tests], axis=0) if df_complete is None else df_complete
    found = rubin(estimates, np.square([test.se for test in tests]), nu)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = found["Estimate"] / found["SE"]
    half = t_quantile(found["df"], level) * found["SE"]
    table = pd.DataFrame(
        {
            **{name: found[name] for name in ("Estimate", "SE", "df")},
            "t": t,
            "p": 2.0 * stdtr(np.minimum(found["df"], 1e300), -np.abs(t)),
            "lower": found["Estimate"] - half,
            "upper": found["Estimate"] + half,
            **{name: found[name] for name in ("riv", "lambda", "fmi")},
        },
        index=names,
    )
    within = np.mean([denominator(fitted, ddf).cov for fitted in fits], axis=0)
    between = np.atleast_2d(np.cov(estimates, rowvar=False)).reshape(len(names), len(names))
    frames = [pd.DataFrame(matrix, index=names, columns=names) for matrix in (within, between)]
    return Pooled(table, _components(fits), len(fits), *frames, first.model.formula)


def _components(fits: Sequence[Fitted]) -> pd.DataFrame:
    """Mean and standard deviation, over the fits, of standard deviations and correlations."""
    tables = [varcorr(fitted) for fitted in fits]
    labels = tables[0][["grp", "var1", "var2"]]
    for table in tables[1:]:
        if not table[["grp", "var1", "var2"]].equals(labels):
            raise DataError("The fits have different random effects: pool fits of one model.")
    values = np.array([table["sdcor"].to_numpy(dtype=float) for table in tables])
    return labels.assign(sdcor=values.mean(axis=0), between=values.std(axis=0, ddof=1))
