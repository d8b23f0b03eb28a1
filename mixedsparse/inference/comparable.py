"""Whether the likelihoods of several fits belong to the same data, and their fixed parts to the same design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.sparse_columns import is_sparse
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["check_same_data", "same_fixed_part"]

# Designs and responses that differ by less than this share of their size are the same.
_SAME = 1e-10


def check_same_data(named: Mapping[str, Fitted]) -> None:
    """Refuse fits to different rows, responses or weights: DataError names the two that differ."""
    first_name, first = next(iter(named.items()))
    for name, other in named.items():
        if other.nobs != first.nobs:
            raise DataError(
                f"{first_name} has {first.nobs} rows and {name} has {other.nobs}: fit all models to the rows that are "
                "complete in every variable."
            )
        marks = [fitted.design.observed.marks(_given(fitted)) for fitted in (first, other)]
        if marks[0] is None or marks[1] is None or marks[0].keys() != marks[1].keys():
            raise DataError(
                "One of the models was fitted to a source and one to data in memory, so their rows cannot be compared: "
                "fit both to the same."
            )
        if different := [what for what in marks[0] if not _same(marks[0][what], marks[1][what])]:
            raise DataError(
                f"{first_name} and {name} have different {different[0]}, so their likelihoods do not compare: fit them "
                "to the same."
            )


def _given(fitted: Fitted) -> np.ndarray | None:
    """Trials or prior weights of the rows, as they were given."""
    design = fitted.design
    return design.weights if design.trials is None else design.trials


def same_fixed_part(first: Fitted, other: Fitted) -> bool:
    """Whether X is the same, as restricted likelihoods need to compare."""
    kept = [(fitted.design.observed, fitted.problem.basis.kept) for fitted in (first, other)]
    mine, its = (observed.rows_of(columns) for observed, columns in kept)
    if mine is None or its is None:
        roots = [observed.x_root[:, columns] for observed, columns in kept]
        mine, its = (root.T @ root for root in roots)
    if is_sparse(mine) or is_sparse(its):
        return _same_sparse(sparse.csr_array(mine), sparse.csr_array(its))
    return _same(mine, its)


def _same_sparse(a: sparse.csr_array, b: sparse.csr_array) -> bool:
    return a.shape == b.shape and bool(abs(a - b).max() <= _SAME * abs(a).max())


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_SAME, atol=_SAME * float(np.abs(a).max(initial=0.0))))
