"""Tables of the covariance parameters: of the random effects, and of the residual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from mixedsparse.inference.labels import read_only

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["cov_re", "varcorr", "vcomp"]


def varcorr(fitted: Fitted) -> pd.DataFrame:
    """Variances and covariances, one row each; see `MixedResults.varcorr`."""
    rows = [row for t, label in enumerate(fitted.term_labels) for row in _rows(fitted, t, label)]
    if fitted.has_residual:
        rows.append(("Residual", None, None, fitted.sigma2, fitted.sigma))
    table = pd.DataFrame(rows, columns=["grp", "var1", "var2", "vcov", "sdcor"], dtype=object)
    return table.astype({"vcov": float, "sdcor": float})


def _rows(fitted: Fitted, t: int, label: str) -> Iterator[tuple[str, str, str | None, float, float]]:
    names = fitted.problem.terms[t].columns
    cov = fitted.covariance(t)
    sd = np.sqrt(np.diagonal(cov))
    for name, variance, deviation in zip(names, np.diagonal(cov), sd, strict=True):
        yield label, name, None, variance, deviation
    for col, row in zip(*np.triu_indices(len(names), 1), strict=True):
        product = sd[row] * sd[col]
        correlation = cov[row, col] / product if product > 0 else math.nan
        yield label, names[col], names[row], cov[row, col], correlation


def cov_re(fitted: Fitted) -> dict[str, pd.DataFrame]:
    """Covariance of the random effects by grouping factor; see `MixedResults.cov_re`."""
    out = {}
    for group, terms in fitted.terms_of.items():
        names = fitted.effects_of(group)
        cov = read_only(block_diag(*[fitted.covariance(t) for t in terms]))
        out[group] = pd.DataFrame(cov, index=names, columns=names)
    return out


def vcomp(fitted: Fitted) -> pd.Series:
    """Variances of the random effects; see `MixedResults.vcomp`."""
    terms = fitted.problem.terms
    labels = [(term.group, name) for term in terms for name in term.columns]
    values = np.concatenate([np.diagonal(fitted.covariance(t)) for t in range(len(terms))])
    return pd.Series(
        read_only(values), index=pd.MultiIndex.from_tuples(labels, names=["group", "effect"]), name="vcomp"
    )
