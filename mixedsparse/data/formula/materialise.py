"""Matrices of sides with function calls: formulaic computes the columns, codings of bare factors are ours."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.core.problem.sparse_products import separate, together
from mixedsparse.data.formula.contrasts import Coding
from mixedsparse.data.formula.names import namespace
from mixedsparse.data.formula.sparse_sides import sparse_factor
from mixedsparse.ground.errors import DataError

__all__ = ["materialise", "materialise_sparse"]


def materialise(
    spec: Any,
    names: Mapping[str, str],
    values: Mapping[str, Any],
    codings: Mapping[str, Coding],
    n: int,
    env: Mapping[str, Any],
) -> tuple[np.ndarray, Any]:
    """Matrix (n, p), and trained spec, from formulaic.

    Parameters
    ----------
    spec : formulaic.ModelSpec
        Trained, or not yet.
    names : Mapping
        User's name of each alias.
    values : Mapping
        By alias: columns, and codes of the factors in `codings`.
    codings : Mapping
    n : int
        Number of rows.
    env : Mapping
        Functions of the caller.
    """
    coded = {alias: _coded_factor(values[alias], coding) for alias, coding in codings.items()}
    matrix = _matrix(spec, names, values, coded, n, env)
    X = np.asarray(matrix)
    _check_kind(X.dtype)
    return np.asarray(X, dtype=float), matrix.model_spec


def materialise_sparse(
    spec: Any,
    names: Mapping[str, str],
    values: Mapping[str, Any],
    codings: Mapping[str, Coding],
    n: int,
    env: Mapping[str, Any],
) -> tuple[SparseColumns, Any]:
    """See `materialise`; the matrix has its numbers that are not 0 only."""
    coded = {alias: _sparse_factor(values[alias], coding) for alias, coding in codings.items()}
    matrix = _matrix(spec.update(output="sparse"), names, values, coded, n, env)
    _check_kind(matrix.dtype)
    return together([SparseColumns(matrix, dtype=float)]), matrix.model_spec.update(output="numpy")


def _matrix(
    spec: Any, names: Mapping[str, str], values: Mapping[str, Any], coded: Mapping[str, Any], n: int, env: Any
) -> Any:
    from formulaic.errors import DataMismatchWarning

    from mixedsparse.data.formula.materializer import Materializer

    needed = {alias: value for alias, value in values.items() if alias not in coded}
    frame = pd.DataFrame(needed, index=pd.RangeIndex(n), copy=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataMismatchWarning)  # formulaic would encode an unseen level as zeros
        try:
            materializer = Materializer(frame, context={**namespace(), **env, **coded})
            materializer.names = names
            return materializer.get_model_matrix(spec)
        except DataMismatchWarning as err:
            what = str(err).partition("dataset): ")[2].partition(". They")[0]
            raise DataError(
                f"A factor has the levels {what}, which are not among those it was fitted with: leave these rows out."
            ) from err


def _check_kind(dtype: np.dtype) -> None:
    if dtype.kind not in "biuf":
        raise TypeError("a term gives values that are not real numbers")


def _coded_factor(codes: np.ndarray, coding: Coding) -> Any:
    """`codes` as a factor that formulaic encodes by our `coding`."""

    def columns(reduced: bool) -> list[np.ndarray]:
        return [coding.column(codes, reduced, j) for j in range(len(coding.labels(reduced)))]

    return _factor_of(codes, coding, columns)


def _sparse_factor(codes: np.ndarray, coding: Coding) -> Any:
    """See `_coded_factor`; the columns are sparse."""

    def columns(reduced: bool) -> list[Any]:
        return separate(sparse_factor(coding, reduced, codes))

    return _factor_of(codes, coding, columns)


def _factor_of(codes: np.ndarray, coding: Coding, columns: Any) -> Any:
    from formulaic.materializers.types import FactorValues

    def encoder(values: Any, reduced_rank: bool, **_: Any) -> Any:
        made = dict(zip(coding.labels(reduced_rank), columns(reduced_rank), strict=True))
        return FactorValues(made, kind="categorical", format="{name}[{field}]", encoded=True)

    return FactorValues(codes, kind="categorical", spans_intercept=True, encoder=encoder)
