"""Patterns of Z'Z and of its Cholesky factor as the engine keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from mixedsparse.plotting.axes import QUIET, panels

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["Pattern", "factor_pattern", "gram_pattern", "sparsity"]

# Cells of the picture in each direction; larger matrices are shaded by the share of entries in a cell.
_CELLS = 500
# Shade of a cell with a single entry among very many.
_FAINTEST = 0.35


@dataclass(frozen=True, eq=False)
class Pattern:
    """Positions of the entries of a (q, q) matrix.

    Attributes
    ----------
    q : int
    rows, columns : ndarray of int, shape (nnz,)
        Entries that are listed.
    dense_from : int
        From this row on the lower triangle is full, and not listed.
    blocks : dict
        Name of a run of rows -> its first and last row plus 1; empty where the order is mixed.
    """

    q: int
    rows: np.ndarray
    columns: np.ndarray
    dense_from: int
    blocks: dict[str, tuple[int, int]]

    @property
    def nnz(self) -> int:
        """Number of entries."""
        size = self.q - self.dense_from
        return len(self.rows) + size * (size + 1) // 2

    def shares(self) -> np.ndarray:
        """Share of entries in each cell of the picture, (cells, cells)."""
        cells = min(self.q, _CELLS)
        edge = -(-self.q * np.arange(cells + 1) // cells)  # first row of each cell
        at = np.arange(self.q) * cells // self.q
        counts = np.bincount(at[self.rows] * cells + at[self.columns], minlength=cells**2).reshape(cells, cells)
        area = np.outer(np.diff(edge), np.diff(edge))
        share = counts / area
        full = np.tri(cells, dtype=bool) & (np.arange(cells) >= at[self.dense_from] if self._has_dense else False)
        return np.where(full, 1.0, share)

    @property
    def _has_dense(self) -> bool:
        return self.dense_from < self.q


def gram_pattern(results: MixedResults) -> Pattern:
    """Pattern of Z'Z, random effects term by term."""
    Z = results.get("Z")
    present = sparse.csr_array((np.ones(Z.nnz, dtype=np.int32), Z.indices, Z.indptr), shape=Z.shape)
    gram = (present.T @ present).tocoo()
    terms = results.model.problem.terms
    ends = np.cumsum([term.k * term.n_levels for term in terms])
    blocks = {
        label: (int(end) - term.k * term.n_levels, int(end))
        for label, term, end in zip(results._term_labels(), terms, ends, strict=True)
    }
    return Pattern(Z.shape[1], gram.row, gram.col, Z.shape[1], blocks)
