"""Tables of the covariance parameters: of the random effects, and of the residual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from mixedsparse.fitted.fitted import Fitted
from mixedsparse.inference.labels import read_only
from mixedsparse.inference.residual_parameters import deviations

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["cov_re", "residual_deviations", "varcorr", "vcomp"]


def varcorr(parameters: Parameters) -> pd.DataFrame:
    """Variances and covariances, one row each; see `MixedResults.varcorr`."""
    rows = [row for t, label in enumerate(parameters.term_labels) for row in _rows(parameters, t, label)]
    residual = len(rows)
    if parameters.has_residual:
        rows += [("Residual", label or None, None, sd**2, sd) for label, sd in residual_deviations(parameters)]
    words = {name: pd.Index([row[i] for row in rows], dtype=object) for i, name in enumerate(("grp", "var1", "var2"))}
    figures = {name: np.array([row[i] for row in rows], dtype=float) for i, name in ((3, "vcov"), (4, "sdcor"))}
    table = pd.DataFrame(words | figures)
    table.attrs["residual"] = len(rows) - residual
    return table


def residual_deviations(parameters: Parameters) -> list[tuple[str, float]]:
    """Residual standard deviations by stratum or visit; sigma alone, without a name, where there are neither."""
    return deviations(parameters) if isinstance(parameters, Fitted) else [("", parameters.sigma)]


def _rows(parameters: Parameters, t: int, label: str) -> Iterator[tuple[str, str, str | None, float, float]]:
    names = parameters.problem.terms[t].columns
    cov = parameters.covariance(t)
    sd = np.sqrt(np.diagonal(cov))
    for name, variance, deviation in zip(names, np.diagonal(cov), sd, strict=True):
        yield label, name, None, variance, deviation
    for col, row in zip(*np.triu_indices(len(names), 1), strict=True):
        product = sd[row] * sd[col]
        correlation = cov[row, col] / product if product > 0 else math.nan
        yield label, names[col], names[row], cov[row, col], correlation


def cov_re(parameters: Parameters) -> dict[str, pd.DataFrame]:
    """Covariance of the random effects by grouping factor; see `MixedResults.cov_re`."""
    out = {}
    for group, terms in parameters.terms_of.items():
        names = parameters.effects_of(group)
        cov = read_only(block_diag(*[parameters.covariance(t) for t in terms]))
        out[group] = pd.DataFrame(cov, index=names, columns=names)
    return out


def vcomp(parameters: Parameters) -> pd.Series:
    """Variances of the random effects; see `MixedResults.vcomp`."""
    terms = parameters.problem.terms
    labels = [(term.group, name) for term in terms for name in term.columns]
    values = np.concatenate([np.empty(0), *(np.diagonal(parameters.covariance(t)) for t in range(len(terms)))])
    groups, effects = ([label[i] for label in labels] for i in (0, 1))
    index = pd.MultiIndex.from_arrays([groups, effects], names=["group", "effect"])
    return pd.Series(read_only(values), index=index, name="vcomp")
