"""Selected inverse: M^-1 on the pattern of its Cholesky factor, supernode by supernode.

Sources: Takahashi, Fagan & Chin (1973); Erisman & Tinney (1975), Comm. ACM 18, 177-179. With L the factor, J a
supernode (columns of equal structure) and R the rows below it, from the last supernode to the first:

    Y = L_RJ L_JJ^-1,   N_RJ = -N_RR Y,   N_JJ = (L_JJ L_JJ')^-1 - Y' N_RJ,   N = (L L')^-1

N_RR lies on the pattern of L, because R is contained in the structure of each of its own columns. Wide supernodes go
through LAPACK, runs of narrow ones through a compiled loop.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack, solve_triangular

__all__ = ["SelectedInverse"]

# Supernodes of at least this many columns go through LAPACK.
_WIDE = 32


class SelectedInverse:
    """Selected inverse for one pattern of L (CSC, rows increasing inside each column, diagonal first).

    Parameters
    ----------
    indptr, indices : ndarray of int
        Pattern of L.
    """

    def __init__(self, indptr: np.ndarray, indices: np.ndarray) -> None:
        self.indptr, self.indices = indptr.astype(np.int64), indices.astype(np.int64)
        self.size = len(indptr) - 1
        self.starts = _supernodes(self.indptr, self.indices)
        self.owner = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def positions(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Positions in the data of L of the entries (rows, columns) of its pattern, rows >= columns."""
        column_of = np.repeat(np.arange(self.size), np.diff(self.indptr))
        keys = column_of * self.size + self.indices
        return np.searchsorted(keys, columns * self.size + rows)

    def compute(self, values: np.ndarray) -> np.ndarray:
        """N = (L L')^-1 on the pattern of L, from the `values` of L, in the same order."""
        from mixedsparse.core.engines.kernels import direct as kernels

        out = np.empty_like(values)
        pattern = (self.indptr, self.indices, self.starts, self.owner)
        widths = np.diff(self.starts)
        last = len(widths)
        while last > 0:
            wide = widths[last - 1] >= _WIDE
            first = last - 1
            if wide:
                self._wide(first, values, out)
            else:
                while first > 0 and widths[first - 1] < _WIDE:
                    first -= 1
                kernels.invert_narrow(first, last, *pattern, values, out)
            last = first
        return out

    def _wide(self, node: int, values: np.ndarray, out: np.ndarray) -> None:
        """One supernode through LAPACK."""
        from mixedsparse.core.engines.kernels import direct as kernels

        start, stop = self.starts[node], self.starts[node + 1]
        width = stop - start
        rows = self.indices[self.indptr[start] : self.indptr[start + 1]]
        panel = np.zeros((len(rows), width), order="F")
        for j in range(width):
            panel[j:, j] = values[self.indptr[start + j] : self.indptr[start + j + 1]]
        square, below = panel[:width], rows[width:]
        inverse, _ = lapack.dpotri(square, lower=1)
        result = np.empty_like(panel)
        result[:width] = inverse
        if len(below):
            mix = solve_triangular(square, panel[width:].T, lower=True, trans="T", check_finite=False).T
            pattern = (self.indptr, self.indices, self.starts, self.owner)
            gathered = kernels.gather_inverse(below, *pattern, out)
            result[width:] = -gathered @ mix
            result[:width] -= mix.T @ result[width:]
        for j in range(width):
            out[self.indptr[start + j] : self.indptr[start + j + 1]] = result[j:, j]


def _supernodes(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """First column of each supernode, and the number of columns at the end."""
    counts = np.diff(indptr)
    size = len(counts)
    # Column j joins column j + 1 when j + 1 is its first row below the diagonal and the rest of the rows agree.
    next_row = np.full(size, -1)
    has_below = counts > 1
    next_row[has_below] = indices[indptr[:-1][has_below] + 1]
    joined = (next_row[:-1] == np.arange(1, size)) & (counts[:-1] == counts[1:] + 1)
    return np.concatenate([np.flatnonzero(np.concatenate([[True], ~joined])), [size]])
