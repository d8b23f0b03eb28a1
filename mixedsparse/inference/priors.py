"""Variance that random effects of unknown levels, and the residual, add to a linear function of beta."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.problem.blocks import BlockLayout

__all__ = ["Prior", "prior_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Prior:
    """Variances sigma^2 (z'Sigma z + c) of rows, Sigma = Lambda Lambda', and how they move.

    Attributes
    ----------
    variance : ndarray, shape (r,)
    by_entry : ndarray, shape (r, m)
        Derivatives by the entries of Sigma of the whitened bases.
    """

    variance: np.ndarray
    by_entry: np.ndarray


def prior_of(
    layout: BlockLayout, factors: Sequence[np.ndarray], sigma2: float, z: Sequence[np.ndarray], noise: np.ndarray
) -> Prior:
    """Variances of rows with whitened z (r, K) in each block, and the residual's share `noise` (r,), that is c."""
    half = [part @ lam for part, lam in zip(z, factors, strict=True)]
    variance = noise + sum(np.square(part).sum(axis=1) for part in half)
    by_entry = np.zeros((len(noise), len(layout.block)))
    for i, (b, row, col) in enumerate(zip(layout.block, layout.row, layout.col, strict=True)):
        by_entry[:, i] = z[b][:, row] * z[b][:, col] * (1.0 if row == col else 2.0)
    return Prior(sigma2 * variance, sigma2 * by_entry)
