"""Diagnostics from n x n matrices, and from fits to the rows that are left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

import mixedsparse as ms
from tests.models import Small


@dataclass(frozen=True)
class DenseHat:
    """Rows times root weights: P_0, V_0^-1 and y."""

    P: np.ndarray
    V_inverse: np.ndarray
    X: np.ndarray
    y: np.ndarray


def dense_hat(small: Small, theta: np.ndarray) -> DenseHat:
    """P_0 at `theta` of the user's bases."""
    root = np.ones(len(small.y)) if small.weights is None else np.sqrt(small.weights)
    problem = small.problem()
    V = np.eye(len(root))
    for term, lam in zip(problem.terms, problem.theta_layout.templates(theta), strict=True):
        half = (term.z * root[:, None]) @ lam
        V += np.where(term.codes[:, None] == term.codes, half @ half.T, 0.0)
    X, inverse = small.X_kept * root[:, None], np.linalg.inv(V)
    known = inverse @ X
    P = inverse - known @ np.linalg.solve(X.T @ known, known.T) if X.shape[1] else inverse
    return DenseHat(P, inverse, X, small.y * root)


def without(small: Small, rows: np.ndarray) -> Small:
    """Return the data without `rows`, levels that are left numbered anew."""
    keep = np.setdiff1d(np.arange(len(small.y)), rows)
    terms = tuple(
        ms.RandomTerm(term.group, np.unique(term.codes[keep], return_inverse=True)[1], term.z[keep], term.columns)
        for term in small.terms
    )
    weights = None if small.weights is None else small.weights[keep]
    return replace(small, y=small.y[keep], X=small.X[keep], terms=terms, weights=weights)
