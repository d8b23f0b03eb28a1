"""Orthonormal bases of random-effects terms: z T^-1, with T lower triangular and T'T = z'z / n.

A covariate far from 0 makes [1, z] nearly dependent: at 1e7 times its standard deviation the cross-product has no digit
left of what is new in z, while QR of the columns themselves keeps nine.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

__all__ = ["factor_columns", "is_doubtful", "whiten", "whitening"]

# A squared pivot of the cross-products below this share of its diagonal is taken from the columns instead.
_DOUBTFUL = 1e-8
# A pivot of the columns below this share of their length means that they are linearly dependent.
_DEPENDENT = 1e-13


def whiten(z: np.ndarray, n: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return z T^-1, shape (rows, k), and T (k, k) with T'T = z'z / n, n = rows if not given.

    T is diagonal where the columns of z are dependent.
    """
    n = len(z) if n is None else n
    gram = z.T @ z / n
    if len(gram) == 1:
        transform = whitening(gram)
        return (z if transform[0, 0] == 1.0 else z / transform[0]), transform
    scale = _scale(gram)
    root, info = _root(gram, scale)
    if _loses(root, info):
        return factor_columns(z, n)
    transform = _transform(root, scale)
    if not np.tril(transform, -1).any():
        return z / np.diagonal(transform), transform
    inverse, _ = lapack.dtrtri(transform, lower=1)
    return z @ inverse, transform


def is_doubtful(gram: np.ndarray) -> bool:
    """Whether columns with these cross-products (k, k) are nearly dependent."""
    return len(gram) > 1 and _loses(*_root(gram, _scale(gram)))


def whitening(gram: np.ndarray) -> np.ndarray:
    """Return T from z'z / n = `gram`, which `is_doubtful` is not."""
    scale = _scale(gram)
    return scale[:, None] if len(gram) == 1 else _transform(_root(gram, scale)[0], scale)


def factor_columns(z: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return z T^-1 and T by QR of the columns z (any number of rows, k), for which z'z / n counts."""
    scale = _scale(z.T @ z / n)
    # T'T with T lower is the ordinary triangular factorisation of the reversed columns.
    basis, root = np.linalg.qr((z / scale)[:, ::-1])
    root = root / np.sqrt(n)
    sign = np.where(np.diagonal(root) < 0, -1.0, 1.0)
    if (np.abs(np.diagonal(root)) < _DEPENDENT).any():
        return z / scale, np.diag(scale)
    basis, root = basis * sign * np.sqrt(n), root * sign[:, None]
    return np.ascontiguousarray(basis[:, ::-1]), np.ascontiguousarray(root[::-1, ::-1]) * scale


def _scale(gram: np.ndarray) -> np.ndarray:
    """Lengths of the columns, (k,); 1 for a column of zeros."""
    scale = np.sqrt(np.diag(gram))
    scale[scale == 0] = 1.0
    return scale


def _root(gram: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, int]:
    """Upper factor of the reversed correlations, and whether there is one."""
    correlation = gram / (scale[:, None] * scale)
    root, info = lapack.dpotrf(correlation[::-1, ::-1], lower=0)
    return root, info


def _loses(root: np.ndarray, info: int) -> bool:
    """Whether columns whose correlations have this factor are nearly dependent."""
    return bool(info != 0 or root.diagonal().min() ** 2 < _DOUBTFUL)


def _transform(root: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """T from the factor of the reversed correlations and the lengths of the columns."""
    return np.ascontiguousarray(root[::-1, ::-1]) * scale
