"""Variance inflation of the fixed effects.

Source: Fox & Monette (1992), J. Amer. Statist. Assoc. 87, 178-183; R's ``car::vif`` for mixed models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import VifBy
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["vif"]

_BY = get_args(VifBy)


def vif(fitted: Fitted, by: str = "term") -> pd.DataFrame:
    """Variance inflation factors; see `MixedResults.vif`."""
    one_of("by", by, _BY)
    names, terms = fitted.x_names, _kept_columns(fitted)
    used = np.flatnonzero(fitted.design.observed.varying(fitted.problem.basis.kept))
    if not len(used):
        raise DataError("The model has no fixed effects besides the intercept: there is nothing to be collinear.")
    if by == "coefficient":
        terms = {names[j]: [int(j)] for j in used}
    cov = fitted.cov_beta[np.ix_(used, used)]
    sd = np.sqrt(np.diagonal(cov))
    correlation = cov / np.outer(sd, sd)
    rows = {}
    for term, columns in terms.items():
        inside = np.isin(used, columns)
        df = int(inside.sum())
        if df:
            gvif = _log_det(correlation, inside) + _log_det(correlation, ~inside) - _log_det(correlation, inside | True)
            rows[term] = {"GVIF": np.exp(gvif), "df": df, "inflation": np.exp(gvif / (2 * df))}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"df": int})


def _kept_columns(fitted: Fitted) -> dict[str, list[int]]:
    """Term of the fixed part -> its columns among those that were kept."""
    kept = fitted.problem.basis.kept.tolist()
    place = {column: i for i, column in enumerate(kept)}
    every = range(len(fitted.design.x_names))
    return {
        term: [place[column] for column in every[columns] if column in place]
        for term, columns in fitted.design.x_terms.items()
    }


def _log_det(matrix: np.ndarray, chosen: np.ndarray) -> float:
    """Log-determinant of a principal submatrix; 0 for an empty one."""
    return float(np.linalg.slogdet(matrix[np.ix_(chosen, chosen)])[1])
