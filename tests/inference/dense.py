"""Degrees of freedom by their definitions: dense matrices and numerical derivatives. Slow, short, obviously right."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

import mixedsparse as ms
from tests.models import Small
from tests.oracle import one_hot, triangles

STEP = 2e-3


def relative_cov(small: Small, theta: np.ndarray) -> np.ndarray:
    """V / sigma^2, (n, n)."""
    n = len(small.y)
    V = np.diag(np.ones(n) if small.weights is None else 1.0 / small.weights)
    terms = sorted(small.terms, key=lambda t: -t.n_levels)
    for term, lam in zip(terms, triangles(terms, theta), strict=True):
        half = one_hot(term) @ np.kron(np.eye(term.n_levels), lam)
        V += half @ half.T
    return V


def satterthwaite_df(small: Small, results: ms.MixedResults, L: np.ndarray) -> np.ndarray:
    """2 v^2 / Var(v) of each row of L, as lmerTest computes it: derivatives in (theta, sigma) by differences."""
    X, y = small.X_kept, small.y
    n, p = X.shape

    def parts(at: np.ndarray) -> tuple[float, np.ndarray]:
        V, sigma2 = relative_cov(small, at[:-1]), at[-1] ** 2
        information = X.T @ np.linalg.solve(V, X)
        residual = y - X @ np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
        deviance = np.linalg.slogdet(V)[1] + residual @ np.linalg.solve(V, residual) / sigma2
        deviance += np.linalg.slogdet(information)[1] if results.reml else 0.0
        deviance += (n - p if results.reml else n) * np.log(sigma2)
        return deviance, np.einsum("rp,pq,rq->r", L, sigma2 * np.linalg.inv(information), L)

    at = np.append(results.theta, results.sigma)
    hessian = second_differences(lambda x: parts(x)[0], at)
    jacobian = np.array(
        [(parts(at + h)[1] - parts(at - h)[1]) / (2 * h.max()) for h in STEP * 0.1 * np.diag(np.abs(at))]
    ).T
    variance = np.einsum("ri,ij,rj->r", jacobian, 2.0 * np.linalg.inv(hessian), jacobian)
    return 2.0 * parts(at)[1] ** 2 / variance


def second_differences(f: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Hessian by central differences, extrapolated once (Richardson)."""
    steps = STEP * np.diag(np.abs(at))

    def plain(scale: float) -> np.ndarray:
        out = np.empty((len(at), len(at)))
        for i, j in itertools.combinations_with_replacement(range(len(at)), 2):
            hi, hj = scale * steps[i], scale * steps[j]
            total = f(at + hi + hj) - f(at + hi - hj) - f(at - hi + hj) + f(at - hi - hj)
            out[i, j] = out[j, i] = total / (4 * hi.max() * hj.max())
        return out

    return (4.0 * plain(1.0) - plain(2.0)) / 3.0


def kenward_roger(small: Small, results: ms.MixedResults) -> tuple[np.ndarray, np.ndarray, Callable]:
    """Phi, its adjustment, and a function L -> (df, scale): Kenward & Roger (1997) as pbkrtest writes it."""
    X, sigma2 = small.X_kept, results.scale
    n = len(small.y)
    inverse = np.linalg.inv(sigma2 * relative_cov(small, results.theta))
    G = [np.diag(np.ones(n) if small.weights is None else 1.0 / small.weights)]
    for term in small.terms:
        Z = one_hot(term)
        for r, c in itertools.combinations_with_replacement(range(term.k), 2):
            pattern = np.zeros((term.k, term.k))
            pattern[r, c] = pattern[c, r] = 1.0
            G.append(Z @ np.kron(np.eye(term.n_levels), pattern) @ Z.T)
    Phi = np.linalg.inv(X.T @ inverse @ X)
    P = [-X.T @ inverse @ g @ inverse @ X for g in G]
    Q = [[X.T @ inverse @ g @ inverse @ h @ inverse @ X for h in G] for g in G]
    information = np.array(
        [
            [
                np.trace(inverse @ G[i] @ inverse @ G[j])
                - 2 * np.trace(Phi @ Q[i][j])
                + np.trace(Phi @ P[i] @ Phi @ P[j])
                for j in range(len(G))
            ]
            for i in range(len(G))
        ]
    )
    W = 2.0 * np.linalg.pinv(information, rcond=1e-10, hermitian=True)
    pairs = list(itertools.product(range(len(G)), repeat=2))
    U = sum(W[i, j] * (Q[i][j] - P[i] @ Phi @ P[j]) for i, j in pairs)
    adjusted = Phi + 2.0 * Phi @ U @ Phi

    def match(L: np.ndarray) -> tuple[float, float]:
        q = len(L)
        Theta = L.T @ np.linalg.solve(L @ Phi @ L.T, L)
        u = [Theta @ Phi @ p @ Phi for p in P]
        A1 = sum(W[i, j] * np.trace(u[i]) * np.trace(u[j]) for i, j in pairs)
        A2 = sum(W[i, j] * np.trace(u[i] @ u[j]) for i, j in pairs)
        B = (A1 + 6 * A2) / (2 * q)
        g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
        c = np.array([g, q - g, q + 2 - g]) / (3 * q + 2 * (1 - g))
        V = (2 / q) * (1 + c[0] * B) / ((1 - c[1] * B) ** 2 * (1 - c[2] * B))
        E = 1 / (1 - A2 / q)
        df = 4 + (q + 2) / (q * V / (2 * E**2) - 1)
        return df, df / (E * (df - 2))

    return Phi, adjusted, match
