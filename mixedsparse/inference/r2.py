"""Shares of variance: R squared of Nakagawa and Schielzeth, and intraclass correlations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["VarianceShares", "icc", "r2", "variance_shares"]


# Residual variances that differ by less than this share are one.
_EQUAL = 1e-12


@dataclass(frozen=True, slots=True)
class VarianceShares:
    """Variance of y by source, in y^2.

    Attributes
    ----------
    fixed : float
        Of X beta over the rows.
    random : dict
        Grouping factor -> mean over the rows of the variance z' Sigma z of its effects.
    residual : float
        sigma^2, of an observation of weight 1.
    """

    fixed: float
    random: dict[str, float]
    residual: float


def variance_shares(fitted: Fitted) -> VarianceShares:
    """Variance of y by source."""
    # Only fits whose rows are here have a residual covariance.
    variances = None if fitted.fit.residual is None else fitted.weights
    if variances is not None and np.ptp(variances) > _EQUAL * variances.max():
        fitted.needs_plain("A share of variance", "There is no one residual variance here: compare marginal_cov(rows).")
    rows, problem = fitted.design.observed, fitted.problem
    fixed = rows.scatter(problem.basis.kept, fitted.fit.beta) / (problem.n - 1)
    every = rows.z_moments
    moments = [every[i] for i in problem.order]
    random = dict.fromkeys(fitted.terms_of, 0.0)
    for term, moment, lam in zip(problem.terms, moments, fitted.fit.templates, strict=True):
        random[term.group] += fitted.sigma2 * float(np.einsum("ij,ik,jk->", moment, lam, lam))
    return VarianceShares(fixed, random, fitted.sigma2)


def r2(shares: VarianceShares) -> pd.Series:
    """R squared; see `MixedResults.r2`."""
    random = sum(shares.random.values())
    total = shares.fixed + random + shares.residual
    return pd.Series({"marginal": shares.fixed / total, "conditional": (shares.fixed + random) / total}, name="r2")


def icc(shares: VarianceShares, by_group: bool = False) -> pd.Series:
    """Intraclass correlation; see `MixedResults.icc`."""
    random = sum(shares.random.values())
    if by_group:
        return pd.Series(shares.random, name="icc") / (random + shares.residual)
    adjusted = random / (random + shares.residual)
    return pd.Series(
        {"adjusted": adjusted, "unadjusted": random / (shares.fixed + random + shares.residual)}, name="icc"
    )
