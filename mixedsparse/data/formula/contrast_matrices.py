"""Contrast matrices by their kind, equal to R's ``contr.*`` and MASS's ``contr.sdif``."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["contrast_matrix"]


@lru_cache(maxsize=64)
def contrast_matrix(kind: str, n: int, base: int) -> np.ndarray:
    """Contrasts (n, n - 1) of a kind among `n` levels; `base` is the level without a column of sum contrasts.

    Those of treatment are mere indicators, and made where they are needed.
    """
    if kind == "sum":
        return np.insert(np.eye(n - 1), base, -1.0, axis=0)
    if kind == "sdif":
        return np.tril(np.ones((n, n - 1)), -1) - np.arange(n - 1, 0, -1) / n
    if kind == "helmert":
        below = np.tril(np.ones((n, n - 1)), -1)  # 1 from the row after the diagonal on
        return np.where(np.eye(n, n - 1, k=-1) > 0, np.arange(1, n), below - 1.0)
    return _polynomials(n)


def _polynomials(n: int) -> np.ndarray:
    """Orthonormal polynomials (n, n - 1) on equidistant scores, leading coefficients positive, as R's contr.poly."""
    # Legendre polynomials are nearly orthogonal on the grid already: QR of them stays accurate where powers do not.
    basis = np.polynomial.legendre.legvander(np.linspace(-1, 1, n), n - 1)
    Q, R = np.linalg.qr(basis)
    return (Q * np.sign(np.diag(R)))[:, 1:]
