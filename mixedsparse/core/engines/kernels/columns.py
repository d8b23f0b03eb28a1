"""Column counts of a Cholesky factor from the pattern alone: what a factorisation costs, before anything is factorised.

Sources: Liu (1990), SIAM J. Matrix Anal. Appl. 11, 134-172 (elimination tree); Gilbert, Ng & Peyton (1994), SIAM J.
Matrix Anal. Appl. 15, 1075-1091, in the form of Davis (2006), Direct Methods for Sparse Linear Systems, section 4.5
(column counts in nearly linear time). Nodes carry a weight here: all effects of a level are one node.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

__all__ = ["column_counts"]


def column_counts(rows: np.ndarray, columns: np.ndarray, size: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Count the rows of each column of L, L L' = M, in the order of elimination in which M is given.

    Parameters
    ----------
    rows, columns : ndarray of int, shape (nnz,)
        Entries of M below its diagonal, ``rows > columns``.
    size : int
        Number of nodes.
    weights : ndarray of int, shape (size,), optional
        Unknowns of each node; 1 by default.

    Returns
    -------
    ndarray of int, shape (size,)
        Unknowns in the rows of each column, its own included.
    """
    marks = np.ones(len(rows), dtype=np.int8)
    lower = sparse.csc_matrix((marks, (rows, columns)), shape=(size, size))
    upper = lower.tocsr()
    weights = np.ones(size, dtype=np.int64) if weights is None else weights.astype(np.int64)
    parent = _elimination_tree(upper.indptr, upper.indices)
    return _count(parent, _postorder(parent), lower.indptr, lower.indices, weights)


@njit(cache=True)
def _elimination_tree(indptr, indices):  # type: ignore[no-untyped-def]
    """Parent of each node, -1 for a root; rows of the lower triangle."""
    size = len(indptr) - 1
    parent = np.full(size, -1, np.int64)
    ancestor = np.full(size, -1, np.int64)
    for j in range(size):
        for position in range(indptr[j], indptr[j + 1]):
            i = np.int64(indices[position])
            while i != -1 and i < j:
                above = ancestor[i]
                ancestor[i] = j
                if above == -1:
                    parent[i] = j
                i = above
    return parent


@njit(cache=True)
def _postorder(parent):  # type: ignore[no-untyped-def]
    """Nodes, children before their parents and subtrees together."""
    size = len(parent)
    head = np.full(size, -1, np.int64)
    sibling = np.full(size, -1, np.int64)
    for j in range(size - 1, -1, -1):
        if parent[j] != -1:
            sibling[j] = head[parent[j]]
            head[parent[j]] = j
    order = np.empty(size, np.int64)
    stack = np.empty(size, np.int64)
    done = 0
    for root in range(size):
        if parent[root] != -1:
            continue
        top = 0
        stack[0] = root
        while top >= 0:
            node = stack[top]
            child = head[node]
            if child == -1:
                top -= 1
                order[done] = node
                done += 1
            else:
                head[node] = sibling[child]
                top += 1
                stack[top] = child
    return order


@njit(cache=True)
def _count(parent, order, indptr, indices, weights):  # type: ignore[no-untyped-def]
    """Gilbert, Ng & Peyton: rows enter at the leaves of their row subtrees, and leave once where two leaves join."""
    size = len(parent)
    first = np.full(size, -1, np.int64)
    counts = np.zeros(size, np.int64)
    for k in range(size):
        node = order[k]
        counts[node] = weights[node] if first[node] == -1 else 0
        while node != -1 and first[node] == -1:
            first[node] = k
            node = parent[node]
    ancestor = np.arange(size)
    furthest = np.full(size, -1, np.int64)
    last_leaf = np.full(size, -1, np.int64)
    for k in range(size):
        j = order[k]
        if parent[j] != -1:
            counts[parent[j]] -= weights[j]
        for position in range(indptr[j], indptr[j + 1]):
            i = indices[position]
            if first[j] <= furthest[i]:
                continue
            furthest[i] = first[j]
            counts[j] += weights[i]
            before = last_leaf[i]
            last_leaf[i] = j
            if before != -1:
                root = before
                while root != ancestor[root]:
                    root = ancestor[root]
                while before != root:
                    above = ancestor[before]
                    ancestor[before] = root
                    before = above
                counts[root] -= weights[i]
        if parent[j] != -1:
            ancestor[j] = parent[j]
    for k in range(size):
        j = order[k]
        if parent[j] != -1:
            counts[parent[j]] += counts[j]
    return counts
