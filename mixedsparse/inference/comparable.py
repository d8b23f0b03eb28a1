"""Whether the likelihoods of several fits belong to the same data, and their fixed parts to the same design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

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
        rows = first.problem.has_rows and other.problem.has_rows
        if not (_same(first.design.y, other.design.y) if rows else _same_source(first, other)):
            raise DataError(
                f"{first_name} and {name} have different responses or rows, so their likelihoods do not compare."
            )
        if rows and not _same(_weights(first), _weights(other)):
            raise DataError(f"{first_name} and {name} have different weights or trials: fit them with the same.")


def same_fixed_part(first: Fitted, other: Fitted) -> bool:
    """Whether X is the same, as restricted likelihoods need to compare."""
    designs = first.design, other.design
    if designs[0].plain is None and designs[1].plain is None:
        return _same(first.X, other.X)
    roots = [design.observed.x_root[:, r.problem.basis.kept] for design, r in zip(designs, (first, other), strict=True)]
    return _same(roots[0].T @ roots[0], roots[1].T @ roots[1])


def _same_source(first: Fitted, other: Fitted) -> bool:
    """Whether two fits whose rows are elsewhere had the same response and weights, by their moments."""
    prints = [getattr(fitted.design.source, "fingerprint", None) for fitted in (first, other)]
    if None in prints:
        raise DataError(
            "One of the models was fitted to a source and one to data in memory, so their rows cannot be compared: fit "
            "both to the same."
        )
    return _same(np.array(prints[0]), np.array(prints[1]))


def _weights(fitted: Fitted) -> np.ndarray:
    weights = fitted.weights
    return np.ones(fitted.nobs) if weights is None else weights


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_SAME, atol=_SAME * float(np.abs(a).max(initial=0.0))))
