"""The basis of an X whose numbers that are not 0 only are kept; see `mixedsparse.core.problem.sparse_columns`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import lapack

from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import level_grams, level_sums
from mixedsparse.core.problem.fixed import FixedBasis, is_noise, log_det_of, split_response
from mixedsparse.core.problem.sparse_columns import ImplicitBasis, SparseColumns, ordered_root

__all__ = ["make_sparse_basis", "products_with_basis", "sparse_root"]


def make_sparse_basis(X: SparseColumns, y: np.ndarray, root_weights: np.ndarray | None = None) -> FixedBasis:
    """Orthonormalise the columns of X (n, p) in order, dropping those that depend on earlier ones.

    As `mixedsparse.core.problem.fixed.make_basis`, by a Cholesky factor of the cross-products in any case.
    """
    W, means, scale, ones = _centred(sparse.csc_array(X), root_weights)
    root = ordered_root(np.asarray((W.T @ W).toarray(order="F")))
    independent = np.diagonal(root) > 0
    kept, dropped = np.flatnonzero(independent), np.flatnonzero(~independent)
    left_out = root[np.ix_(kept, dropped)] * scale[dropped]
    if len(dropped):
        root, W = np.asfortranarray(root[np.ix_(kept, kept)]), W[:, kept]
    inner, root = root, root * scale[kept]
    q: Any = ImplicitBasis(SparseColumns(W), inner, root[0, 0] / ones if ones else 0.0)
    if ones:
        # Undo the centring: x = (x - mean) + mean * 1, and 1 is (to scale) the first column of the basis.
        root[0] += root[0, 0] / ones * means[kept]
        left_out[0] += root[0, 0] / ones * means[dropped]
    alias = lapack.dtrtrs(root, left_out)[0] if len(dropped) else np.empty((len(kept), 0))
    shift, residual = split_response(q, y, bool(ones), root_weights)
    return FixedBasis(kept, q, residual, root, shift, log_det_of(root), bool(ones), alias)


def products_with_basis(
    blocks: Sequence[Block], basis: FixedBasis
) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Diagonal blocks of Z'Z and Z'[Q r] of each block, and [Q r]'[Q r], without Q."""
    q: Any = basis.q
    residual = basis.residual[:, None]
    products = [(level_grams(b), np.concatenate([q.level_sums(b), level_sums(b, residual)], axis=2)) for b in blocks]
    xy = np.eye(len(basis.kept) + 1)
    xy[-1, -1] = float(basis.residual @ basis.residual)
    return products, xy


def sparse_root(X: SparseColumns) -> np.ndarray:
    """R (p, P) with R'R = X'X."""
    basis = make_sparse_basis(X, np.zeros(X.shape[0]))
    out = np.empty((len(basis.kept), X.shape[1]))
    out[:, basis.kept] = basis.root
    out[:, np.setdiff1d(np.arange(X.shape[1]), basis.kept)] = basis.root @ basis.alias
    return out


def _centred(
    columns: sparse.csc_array, root_weights: np.ndarray | None
) -> tuple[sparse.csc_array, np.ndarray, np.ndarray, float]:
    """Columns centred, weighted and scaled to length 1; means, lengths, and the first column where it is constant.

    Only columns with a number in every row are centred: the others would lose their zeros.
    """
    n, p = columns.shape
    sizes = np.diff(columns.indptr)
    first = columns.data[: sizes[0]]
    ones = float(first[0]) if sizes[0] == n and (first == first[0]).all() else 0.0
    means = np.zeros(p)
    for j in np.flatnonzero(sizes == n)[1:] if ones else ():
        inside = slice(columns.indptr[j], columns.indptr[j + 1])
        weights = None if root_weights is None else np.square(root_weights)[columns.indices[inside]]
        means[j] = np.average(columns.data[inside], weights=weights)
    W = sparse.csc_array((columns.data - np.repeat(means, sizes), columns.indices, columns.indptr), shape=(n, p))
    weigh = 1.0 if root_weights is None else root_weights[W.indices]
    W.data *= weigh
    scale = _lengths(W.data, sizes)
    noise = is_noise(scale, _lengths(columns.data * weigh, sizes))
    scale[noise | (scale == 0)] = 1.0
    W.data *= np.repeat(np.where(noise, 0.0, 1.0 / scale), sizes)
    return W, means, scale, ones


def _lengths(data: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Lengths of columns that have `sizes` numbers of `data` each, one after the other."""
    return np.sqrt(np.bincount(np.repeat(np.arange(len(sizes)), sizes), np.square(data), len(sizes)))
