"""Whether the likelihoods of several fits belong to the same data, and their fixed parts to the same design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["check_same_data", "same_fixed_part"]

# Designs and responses that differ by less than this share of their size are the same.
_SAME = 1e-10


def check_same_data(named: Mapping[str, MixedResults]) -> None:
    """Refuse fits to different rows, responses or weights: DataError names the two that differ."""
    first_name, first = next(iter(named.items()))
    for name, other in named.items():
        if other.nobs != first.nobs:
            raise DataError(
                f"{first_name} has {first.nobs} rows and {name} has {other.nobs}: fit all models to the rows that are "
                "complete in every variable."
            )
        if not _same(first.get("y"), other.get("y")):
            raise DataError(
                f"{first_name} and {name} have different responses or rows, so their likelihoods do not compare."
            )
        if not _same(_weights(first), _weights(other)):
            raise DataError(f"{first_name} and {name} have different weights: fit them with the same.")


def same_fixed_part(first: MixedResults, other: MixedResults) -> bool:
    """Whether X is the same, as restricted likelihoods need to compare."""
    return _same(first.get("X"), other.get("X"))


def _weights(results: MixedResults) -> np.ndarray:
    weights = results.model.design.weights
    return np.ones(results.nobs) if weights is None else weights


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=_SAME, atol=_SAME * float(np.abs(a).max(initial=0.0))))
