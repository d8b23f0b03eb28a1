"""The fixed-effects side: rank, scaling and centring of X and y, and the way back.

The engines work on an orthonormal basis Q of the columns of X that are kept and on the residual of y
after least squares on it, so that a response of 1e8 + noise or a covariate in millionths loses no digits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.problem.sparse_columns import ImplicitBasis

__all__ = [
    "FixedBasis",
    "independent_columns",
    "is_noise",
    "log_det_of",
    "make_basis",
    "split_response",
    "spreads_of",
    "spreads_of_rows",
]

# lme4 (LINPACK's dqrdc2) drops a column whose part that is new is below 1e-7 of its length.
_RANK_TOL = 1e-7
# All columns are kept where each has a new part far above that.
_NEAR_RANK = 1e-5
# A column is constant when centring leaves less than this of its length: a covariate may be far from 0.
_CONSTANT_TOL = 1e-10
# Cross-products square the condition number: above this one the columns are orthogonalised themselves.
_GRAM_PIVOT = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class FixedBasis:
    """X[:, kept] = Q root, y = Q shift + residual.

    Attributes
    ----------
    kept : ndarray of int, shape (p,)
        Columns of X that are kept, in their order.
    q, residual : ndarray, shapes (n, p) and (n,)
        Orthonormal basis, which is an operator where X is sparse; least-squares residual of y (both times the root
        weights).
    root : ndarray, shape (p, p), upper triangular
        beta = root^-1 (gamma + shift), where gamma belongs to Q and the residual.
    shift : ndarray, shape (p,)
        Least-squares coefficients of y on Q.
    log_det : float
        log |X'X| = 2 log |det root|, which REML on Q leaves out.
    has_constant : bool
        Whether a constant column was centred out.
    alias : ndarray, shape (p, columns left out)
        The columns that are left out = X[:, kept] @ alias.
    """

    kept: np.ndarray
    q: np.ndarray
    residual: np.ndarray
    root: np.ndarray
    shift: np.ndarray
    log_det: float
    has_constant: bool = False
    alias: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    def beta(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients of X[:, kept] from those of Q on the residual."""
        return lapack.dtrtrs(self.root, gamma + self.shift)[0] if len(gamma) else gamma

    def covariance(self, matrix: np.ndarray) -> np.ndarray:
        """Covariance of beta from the covariance `matrix` of gamma, both (p, p)."""
        if not len(matrix):
            return matrix
        half, _ = lapack.dtrtrs(self.root, matrix)
        return np.asarray(lapack.dtrtrs(self.root, half.T)[0])


def make_basis(X: np.ndarray, y: np.ndarray, root_weights: np.ndarray | None = None) -> FixedBasis:
    """Orthonormalise the columns of X (n, p) in order, dropping those that depend on earlier ones.

    X and y come without the root weights, which are multiplied in after centring. Columns are first centred against a
    constant column where there is one, then scaled; a Cholesky factor of their cross-products serves while it is well
    conditioned, Householder QR otherwise.
    """
    n, p = X.shape
    if p == 0:
        residual = _weighted(y, root_weights)
        return FixedBasis(np.arange(0), np.empty((n, 0)), residual, np.empty((0, 0)), np.empty(0), 0.0)
    centred, means, scale, constant = _centre(X, root_weights)
    gram = centred.T @ centred
    root, info = lapack.dpotrf(gram, lower=0)
    if info == 0 and np.diag(root).min() > _GRAM_PIVOT:
        kept = np.arange(p)
        inverse, _ = lapack.dtrtri(root, lower=0)
        q = centred @ inverse
    else:
        q, root, kept = independent_columns(centred)
    root = root * scale[kept]
    if constant >= 0:
        # Undo the centring: x = (x - mean) + mean * 1, and 1 is (to scale) column `constant` of the basis.
        root = root + np.outer(root[:, constant] / X[0, constant], means[kept])
    shift, residual = split_response(q, y, constant >= 0, root_weights)
    dropped = np.setdiff1d(np.arange(p), kept) if len(kept) < p else kept[:0]
    alias = lapack.dtrtrs(root, q.T @ _weighted(X[:, dropped], root_weights))[0] if len(dropped) else np.empty((p, 0))
    return FixedBasis(kept, q, residual, root, shift, log_det_of(root), constant >= 0, alias)


def log_det_of(root: np.ndarray) -> float:
    """Log |root'root| of a triangular matrix (p, p)."""
    return 2.0 * float(np.log(np.abs(np.diag(root))).sum())


def split_response(
    q: np.ndarray | ImplicitBasis, y: np.ndarray, centre: bool, root_weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Least-squares coefficients (p,) of y times the root weights on an orthonormal q (n, p), and the residual (n,).

    `centre` says that the constant is in the span of q: the mean of y, which may be huge, is then taken out first.
    """
    means = _means(y, root_weights) if centre else np.zeros(y.shape[1:])
    residual = y - means if centre else y
    offset = _weighted(y - residual, root_weights)
    residual = _weighted(residual, root_weights)
    first = q.T @ residual
    residual = residual - q @ first
    second = q.T @ residual
    residual = residual - q @ second
    if isinstance(q, ImplicitBasis):
        return first + second + q.constants(means), residual
    return first + second + (q.T @ offset if centre else 0.0), residual


def _weighted(columns: np.ndarray, root_weights: np.ndarray | None) -> np.ndarray:
    """Columns (n,) or (n, r) times the root weights."""
    if root_weights is None:
        return columns
    return columns * (root_weights if columns.ndim == 1 else root_weights[:, None])


def _means(columns: np.ndarray, root_weights: np.ndarray | None) -> np.ndarray:
    """Weighted means of columns (n,) or (n, r)."""
    if root_weights is None:
        return np.asarray(columns.mean(axis=0))
    weights = np.square(root_weights)
    return np.asarray((weights / weights.sum()) @ columns)


def _centre(X: np.ndarray, root_weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Columns centred (all but the constant one), weighted, and scaled to length 1; means, lengths, constant column."""
    flat = np.flatnonzero((X == X[0]).all(axis=0) & (X[0] != 0))
    constant = int(flat[0]) if len(flat) and flat[0] == 0 else -1
    means = np.zeros(X.shape[1])
    if constant >= 0:
        means = _means(X, root_weights)
        means[constant] = 0.0
    centred = _weighted(X - means, root_weights)
    scale = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    X = _weighted(X, root_weights)
    noise = is_noise(scale, np.sqrt(np.einsum("ij,ij->j", X, X)))
    centred[:, noise] = 0.0
    scale[noise | (scale == 0)] = 1.0
    centred /= scale
    return centred, means, scale, constant


def is_noise(scale: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Mask of columns of `length` that centring leaves with rounding noise only: they are constant."""
    return scale <= _CONSTANT_TOL * length


def independent_columns(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Q, R and the kept columns: a column is dropped when its new part is below `_RANK_TOL` of its length."""
    triangle = np.asarray(np.linalg.qr(columns, mode="r"))
    index = np.arange(columns.shape[1])
    new, length = np.abs(np.diagonal(triangle)), np.linalg.norm(triangle, axis=0)
    # A column at the edge is looked at once more, without what rounding has left of those before it.
    if len(new) < len(length) or (new <= _NEAR_RANK * length).any():
        index = _kept(triangle)
    q, root = np.linalg.qr(columns[:, index])
    sign = np.where(np.diag(root) < 0, -1.0, 1.0)
    return q * sign, root * sign[:, None], index


def _kept(triangle: np.ndarray) -> np.ndarray:
    """Columns of a triangle whose new part is not below `_RANK_TOL` of their length."""
    kept: list[int] = []
    basis: np.ndarray = np.empty((len(triangle), 0))
    for j in range(triangle.shape[1]):
        new = triangle[:, j]
        length = np.linalg.norm(new)
        for _ in range(2):
            new = new - basis @ (basis.T @ new)
        if length > 0 and np.linalg.norm(new) > _RANK_TOL * length:
            kept.append(j)
            basis = np.column_stack([basis, new / np.linalg.norm(new)])
    return np.array(kept, dtype=np.intp)


def spreads_of(root: np.ndarray) -> np.ndarray:
    """Return the length of what the first column leaves of each column of `root`, (k,), over that of what it takes."""
    if not len(root):
        return np.empty(0)
    first = root[:, :1] / np.linalg.norm(root[:, 0])
    along = first.T @ root
    with np.errstate(divide="ignore"):
        out: np.ndarray = np.linalg.norm(root - first * along, axis=0) / np.abs(along[0])
    out[0] = np.inf
    return out


def spreads_of_rows(columns: np.ndarray) -> np.ndarray:
    """Return the standard deviation over the mean of columns (n, k)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(columns.std(axis=0) / np.abs(columns.mean(axis=0)))
