"""The model by its definition: dense matrices, no identity used. Slow, short, obviously right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from mixedsparse import RandomTerm


@dataclass(frozen=True)
class Dense:
    """Everything at one theta: modes (levels, k) and covariances (levels, k, k), one array per term in theta order."""

    criterion: float
    beta: np.ndarray
    cov_beta: np.ndarray
    sigma2: float
    modes: list[np.ndarray]
    cov_modes: list[np.ndarray]


def dense(
    y: np.ndarray,
    X: np.ndarray,
    terms: Sequence[RandomTerm],
    theta: np.ndarray,
    *,
    reml: bool,
    weights: np.ndarray | None = None,
    R: np.ndarray | None = None,
) -> Dense:
    """y ~ N(X beta, sigma2 (W^-1/2 R W^-1/2 + Z Lambda Lambda'Z')), R = I if None, for an X of full column rank.

    Theta is in lme4's order.
    """
    (n, p), terms = X.shape, sorted(terms, key=lambda t: -t.n_levels)
    Z = np.hstack([np.empty((n, 0)), *(one_hot(term) for term in terms)])
    lams = triangles(terms, theta)
    G = block_diag(np.empty((0, 0)), *(np.kron(related(t), lam @ lam.T) for t, lam in zip(terms, lams, strict=True)))
    root = np.ones(n) if weights is None else np.sqrt(weights)
    V = Z @ G @ Z.T + (np.eye(n) if R is None else R) / np.outer(root, root)
    Vinv = np.linalg.inv(V)
    information = X.T @ Vinv @ X
    beta = np.linalg.solve(information, X.T @ Vinv @ y)
    residual = y - X @ beta
    df = n - p if reml else n
    sigma2 = residual @ Vinv @ residual / df
    log_dets = np.linalg.slogdet(V)[1] + (np.linalg.slogdet(information)[1] if reml else 0.0)
    b, cov = G @ Z.T @ Vinv @ residual, sigma2 * (G - G @ Z.T @ Vinv @ Z @ G)
    ends = np.cumsum([t.n_levels * t.k for t in terms], dtype=int)
    places = np.split(np.arange(len(b)), ends)[:-1]
    places = [place.reshape(t.n_levels, t.k) for place, t in zip(places, terms, strict=True)]
    return Dense(
        criterion=log_dets + df * (1.0 + np.log(2.0 * np.pi * sigma2)),
        beta=beta,
        cov_beta=sigma2 * np.linalg.inv(information),
        sigma2=sigma2,
        modes=[b[place] for place in places],
        cov_modes=[cov[place[:, :, None], place[:, None, :]] for place in places],
    )


def slopes(value: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-2) -> np.ndarray:
    """Derivatives of a smooth function at x by central differences, whose error is step^6 and rounding."""
    ahead = [np.array([value(x + k * h) - value(x - k * h) for h in step * np.eye(len(x))]) for k in (1, 2, 3)]
    return (45.0 * ahead[0] - 9.0 * ahead[1] + ahead[2]) / (60.0 * step)


def one_hot(term: RandomTerm) -> np.ndarray:
    """Z of one term, (n, levels * k), levels outermost; a row has the sum over its slots."""
    slots = [(term.codes, term.z)]
    if term.codes.ndim == 2:
        slots = [(term.codes[:, c], term.z[:, c]) for c in range(term.codes.shape[1])]
    return np.hstack([sum(z * (codes == level)[:, None] for codes, z in slots) for level in range(term.n_levels)])


def related(term: RandomTerm) -> np.ndarray:
    """Covariance among the levels of one term, (levels, levels), the inverse of its precision matrix."""
    return np.eye(term.n_levels) if term.precision is None else np.linalg.inv(term.precision.precision.toarray())


def triangles(terms: Sequence[RandomTerm], theta: np.ndarray) -> list[np.ndarray]:
    """Lower triangles (k, k), filled column by column."""
    values, out = iter(theta), []
    for term in terms:
        lam = np.zeros((term.k, term.k))
        for column in range(term.k):
            for row in range(column, term.k):
                lam[row, column] = next(values)
        out.append(lam)
    assert next(values, None) is None
    return out
