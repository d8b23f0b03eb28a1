"""Kenward & Roger's method with parameters of the residual covariance, V linearised in them.

Second derivatives of V are left out ("linear"), so that results do not depend on how the covariances are parametrised.
With W the covariance of the parameters, that is twice the inverse of the Hessian of the criterion in (x, log sigma^2)
("observed", as in SAS PROC MIXED and mmrm) or of tr(P V_i P V_j) ("expected", as in pbkrtest), and in units of sigma^2,

    adjusted covariance = K + 2 K (sum over i, j of W_ij X'V_0^-1 V_i P V_j V_0^-1 X) K

V itself, the derivative in log sigma^2, adds nothing to the sum. Everything is taken from rows whitened by R.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mixedsparse.core.likelihood.derivatives import times_columns
from mixedsparse.core.likelihood.projected import projected_columns
from mixedsparse.core.problem.entries import symmetric
from mixedsparse.core.problem.slots import covariance_of_rows
from mixedsparse.core.problem.whitened import white_spread, white_sums
from mixedsparse.ground.errors import BackendError
from mixedsparse.inference.residual_moves import JointMoves, joint_covariance, joint_moves

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["LinearisedMoments", "linearised_moments"]

# Eigenvalues of the information below this share of the largest are taken as 0.
_SINGULAR = 1e-10
# Rows up to which the expected information is taken from dense matrices.
_MOST_ROWS = 3_000


class LinearisedMoments(NamedTuple):
    """What the method needs, in the basis Q and in units of sigma^2.

    Attributes
    ----------
    K, inflation : ndarray, shape (p, p)
        The inner sum above.
    slopes : ndarray, shape (directions, p, p)
        Derivatives of K sigma^2 along directions in which W is the identity.
    root : ndarray, shape (m + size + 1, directions)
        These in the entries of Sigma, in phi and in V.
    """

    K: np.ndarray
    inflation: np.ndarray
    slopes: np.ndarray
    root: np.ndarray


def linearised_moments(fitted: Fitted, information: str) -> LinearisedMoments:
    """Prepare the method at a REML fit."""
    moves = joint_moves(fitted)
    K = moves.pls.K
    observed = information == "observed"
    covariance = joint_covariance(moves, fitted.problem.degrees(True)) if observed else _expected(moves, fitted)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    own = root[:-1]
    slopes = np.tensordot(root.T, np.concatenate([K @ moves.slopes @ K, K[None]]), axes=1)
    inflation = np.zeros_like(K)
    for direction in own.T:
        inflation += _sandwich(moves, direction)
    entries = moves.by_entry[:, moves.active] @ own
    phi = np.eye(len(moves.active))[moves.criterion.count :, moves.active] @ own
    return LinearisedMoments(K, inflation, slopes, np.vstack([entries, phi, root[-1]]))


def _directions(moves: JointMoves, direction: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Change of Sigma of each block, and of phi, along a direction of the active parameters."""
    full = np.zeros(len(moves.active))
    full[moves.active] = direction
    layout = moves.point.data.problem.layout
    entries = moves.by_entry @ full
    return [symmetric(layout, b, entries) for b in range(len(layout.widths))], full[moves.criterion.count :]


def _moved(moves: JointMoves, direction: np.ndarray) -> np.ndarray:
    """L^-1 V' V_0^-1 Q, (n, p), for the derivative V' of V along a direction."""
    data, pls = moves.point.data, moves.pls
    sigmas, own = _directions(moves, direction)
    out = data.at.moved(data.projected(pls), own)
    if not sigmas:
        return out
    effects = [sigma @ Hx for sigma, Hx in zip(sigmas, data.problem.related(pls.Hx), strict=True)]
    return out + white_spread(data.problem, effects)


def _sandwich(moves: JointMoves, direction: np.ndarray) -> np.ndarray:
    """X'V_0^-1 V' P V' V_0^-1 X for one direction, in the basis Q."""
    problem, pls = moves.point.data.problem, moves.pls
    D = _moved(moves, direction)
    out, h = D.T @ D, problem.basis.q.T @ D
    if problem.terms:
        ZD = white_sums(problem, D)
        out = out - times_columns(pls.factor.solve(ZD)[0], ZD)
        h = h - times_columns(projected_columns(problem, pls), ZD)
    return np.asarray(out - h.T @ pls.K @ h)


def _expected(moves: JointMoves, fitted: Fitted) -> np.ndarray:
    """Inverse of tr(P V_i P V_j) / 2, from dense matrices of whitened rows."""
    data, pls, n = moves.point.data, moves.pls, fitted.nobs
    if n > _MOST_ROWS:
        raise BackendError(
            f"information='expected' with a residual covariance takes matrices of {n:,} x {n:,} rows, more than "
            f"{_MOST_ROWS:,}: use information='observed', or ddf='satterthwaite'."
        )
    problem = data.problem
    rows = problem if problem.origin is None else problem.origin
    P = _whitened_inverse(moves)
    white = P @ problem.basis.q
    P = P - white @ pls.K @ white.T
    L = data.at.colour(np.eye(n))
    products = []
    for unit in np.eye(int(moves.active.sum())):
        sigmas, own = _directions(moves, unit)
        V = data.at.moved(L, own)
        blocks = zip(rows.blocks, sigmas, problem.penalties, strict=True)
        effects = sum(
            covariance_of_rows(block.codes, block.z, sigma, None if penalty is None else penalty.relationship)
            for block, sigma, penalty in blocks
        )
        products.append(P @ (V + data.at.whiten(data.at.whiten(effects).T) if problem.terms else V))
    flat = np.array([product.ravel() for product in products])
    turned = np.array([product.T.ravel() for product in products])
    sums = np.array([float(np.trace(product)) for product in products])
    information = np.block([[flat @ turned.T, sums[:, None]], [sums[None], np.array([[n - problem.p]])]])
    return np.linalg.pinv(0.5 * information, rcond=_SINGULAR, hermitian=True)


def _whitened_inverse(moves: JointMoves) -> np.ndarray:
    """L'V_0^-1 L, (n, n): I - Z*CZ*' for whitened Z*."""
    problem, factor = moves.point.data.problem, moves.pls.factor
    eye = np.eye(problem.n)
    if not problem.terms:
        return eye
    return eye - white_spread(problem, factor.solve(white_sums(problem, eye))[0])
