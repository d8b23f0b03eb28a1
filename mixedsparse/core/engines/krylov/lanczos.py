"""log|M| by stochastic Lanczos quadrature, with its Monte-Carlo error.

Source: Ubaru, Chen & Saad (2017), SIAM J. Matrix Anal. Appl. 38, 1075-1099. With P = L L' the diagonal blocks of S and
T = L^-1 S L^-T, log|S| = log|P| + tr f(T), f(x) = log x - x + 1, because tr T is known: its diagonal blocks are I. The
part of tr f(T) on the coarse space, approximated there, is known too, so that only the rest is random.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import eigh_tridiagonal

from mixedsparse.core.engines.krylov.conjugate import Solution, conjugate_gradients
from mixedsparse.core.engines.krylov.probes import Probes
from mixedsparse.core.engines.krylov.solver import KrylovSolver
from mixedsparse.core.likelihood.interface import widening

__all__ = ["log_determinant"]

# Relative residual: the error of the quadrature is about its square.
_TOLERANCE = 1e-4
# Error of log|M| from which on more probes are drawn than traces needed, up to so many.
_ENOUGH, _MOST = 0.1, 16


def log_determinant(factor: KrylovSolver, probes: Probes) -> tuple[float, float]:
    """log|M| at the theta of `factor`, and the standard deviation of its error, from `probes`."""
    engine = factor.engine
    if not engine.system.rest:
        return factor.first_logdet, 0.0
    roots = {b: np.linalg.cholesky(block) for b, block in factor.blocks.items()}
    known = factor.first_logdet
    for root in roots.values():
        known += 2.0 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum())
    coarse = factor.coarse
    weights = _f(coarse.theta)
    drawn, batch = np.empty(0), 0
    while batch < probes.batches or (_error(drawn) > _ENOUGH and len(drawn) < _MOST):
        z = probes.draw(batch)
        scaled = engine.system.mix(roots, z)
        most = engine.limits.iterations
        found = conjugate_gradients(
            factor.apply, factor.smooth, scaled, _TOLERANCE, coefficients=True, max_iterations=most
        )
        engine.effort.iterations += found.iterations
        drawn = np.append(drawn, len(z) * _quadrature(found) - weights @ (coarse.basis.T @ scaled) ** 2)
        batch += 1
    return known + float(weights.sum() + drawn.mean()), _error(drawn)


def _error(drawn: np.ndarray) -> float:
    """Error of the mean."""
    return widening(len(drawn)) * float(drawn.std(ddof=1)) / math.sqrt(len(drawn))


def _f(x: np.ndarray) -> np.ndarray:
    return np.log(x) - x + 1.0


def _quadrature(found: Solution) -> np.ndarray:
    """e_1'f(T_k)e_1 for the tridiagonal matrix T_k of each column, from the coefficients until it converged."""
    alphas, betas = np.array(found.alphas), np.array(found.betas)
    left = np.cumprod(betas, axis=0) > _TOLERANCE**2
    out = np.empty(alphas.shape[1])
    for column in range(len(out)):
        steps = min(int(left[:, column].sum()) + 1, len(alphas))
        alpha, beta = alphas[:steps, column], betas[: steps - 1, column]
        diagonal = 1.0 / alpha
        diagonal[1:] += beta / alpha[:-1]
        off = np.sqrt(beta) / alpha[:-1]
        nodes, vectors = eigh_tridiagonal(diagonal, off)
        out[column] = vectors[0] ** 2 @ _f(nodes)
    return out
