"""The covariance of observations that a fit implies."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.choose.memory import check_memory
from mixedsparse.core.problem.slots import covariance_of_rows
from mixedsparse.data.formula.alignment import aligned
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["marginal_cov", "residual_covariance"]


def marginal_cov(parameters: Parameters, rows: Any) -> pd.DataFrame:
    """Covariance of chosen rows; see `MixedResults.marginal_cov`."""
    index = parameters.design.index
    at = _positions(index, rows)
    # The matrix, and the products of two terms.
    check_memory(24.0 * len(at) ** 2, f"The covariance of {len(at):,} rows", "choose fewer rows")
    cov = residual_covariance(parameters, at)
    for term, lam in zip(parameters.problem.terms, parameters.templates, strict=True):
        cov += covariance_of_rows(term.codes[at], term.z[at], lam @ lam.T, term.precision)
    return pd.DataFrame(parameters.sigma2 * cov, index=index[at], columns=index[at])


def residual_covariance(parameters: Parameters, at: np.ndarray) -> np.ndarray:
    """Covariance over sigma^2 of the residuals of the rows `at` (r,)."""
    whitener, weights = parameters.problem.whitener, parameters.weights
    if whitener is None:
        return np.diag(np.ones(len(at)) if weights is None else 1.0 / weights[at])
    between, prior = whitener.between(at), parameters.design.weights
    return between if prior is None else between / np.sqrt(np.outer(prior[at], prior[at]))


def _positions(index: pd.Index, rows: Any) -> np.ndarray:
    """Positions of `rows` in the index of the fitted rows."""
    if isinstance(rows, slice):
        return np.arange(len(index))[rows]
    one_of_many = isinstance(index, pd.MultiIndex) and isinstance(rows, tuple)
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        rows = rows.item()
    if not isinstance(rows, Collection) or isinstance(rows, str | bytes) or one_of_many:
        rows = [rows]
    if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows.dtype):
        rows = aligned(rows, index, "the mask")
    wanted = rows if isinstance(rows, pd.Index) else pd.Index(list(rows))
    if wanted.dtype == bool and index.dtype != bool:
        if len(wanted) != len(index):
            raise DataError(f"The mask has {len(wanted)} entries, but {len(index)} rows were fitted; give one per row.")
        return np.flatnonzero(wanted)
    if pd.api.types.is_integer_dtype(wanted.dtype) and not pd.api.types.is_any_real_numeric_dtype(index.dtype):
        at = np.asarray(wanted)
        outside = wanted[(at < -len(index)) | (at >= len(index))]
        at = at % len(index)
    else:
        at = index.get_indexer_for(wanted)
        outside = wanted[~wanted.isin(index)]
    if len(outside):
        raise DataError(
            f"Row {outside.tolist()[0]!r} is not among the {len(index)} fitted rows; rows with missing values "
            "are left out. Use labels of fittedvalues.index."
        )
    return at
