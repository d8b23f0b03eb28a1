"""Sides of which only the numbers that are not 0 are made: products of numbers and of coded levels, row by row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.core.problem.sparse_products import indicators, side_by_side, times_each, together
from mixedsparse.data.formula.contrast_matrices import contrast_matrix
from mixedsparse.data.formula.contrasts import Coding

__all__ = ["density", "sparse_factor", "sparse_products"]

Part = tuple[str, bool, int]


def density(coding: Coding) -> float:
    """Numbers per row of a coded factor that are not 0: one or two, but for contrasts that join many levels."""
    return 2.0 if coding.contrast.kind in ("treatment", "sum") else float(len(coding.levels))


def sparse_factor(coding: Coding, reduced: bool, codes: np.ndarray) -> SparseColumns:
    """Columns of a coded factor, (n, columns)."""
    return _rows(coding, reduced)[codes]


def _rows(coding: Coding, reduced: bool) -> SparseColumns:
    """Numbers that stand for each level, (levels, columns)."""
    n, base, contrast = len(coding.levels), coding.base, coding.contrast
    if not reduced:
        return indicators(n)
    if contrast.kind in ("treatment", "sum"):
        return indicators(n, base, -1.0 if contrast.kind == "sum" else 0.0)
    return SparseColumns(
        contrast_matrix(contrast.kind, n, base) if contrast.rows is None else np.array(contrast.rows, dtype=float)
    )


def sparse_products(
    products: Sequence[tuple[Part, ...]], codings: Mapping[str, Coding], values: Mapping[str, Any], n: int
) -> SparseColumns:
    """Columns that are products of numbers and columns of codings; see `mixedsparse.data.formula.encoders.Recipe`.

    Products of the same factors stand side by side, all of them, and the first factor varies fastest.
    """
    pieces = []
    for signature, _ in itertools.groupby(products, key=lambda product: [part[:2] for part in product]):
        piece = SparseColumns(np.ones((n, 1)))
        for alias, reduced in reversed(signature):
            if alias in codings:
                piece = side_by_side(piece, sparse_factor(codings[alias], reduced, values[alias]))
            else:
                piece = times_each(np.asarray(values[alias], dtype=float), piece)
        pieces.append(piece)
    return together(pieces)
