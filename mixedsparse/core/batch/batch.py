"""The criterion at many covariances and for many responses at once, with exact first and second derivatives.

Profiles and bootstraps solve hundreds of small problems that differ in theta, in the response or in one fixed
coefficient, and share Z'Z, Z'X and X'X. With Sigma the relative covariance of each block (whitened bases) and S_i the
symmetric unit matrix of its i-th free entry s_i,

    log |V_0|             slope  tr(W S_i)          curve  -tr(W S_i W S_j)                  W = Z'V_0^-1 Z
    r^2 = y'P_0 y         slope  -zeta'S_i zeta     curve  2 zeta'S_i W_0 S_j zeta           W_0 = W - H K H'
    log |Q'V_0^-1 Q|      slope  -tr(K H'S_i H)     curve  2 tr(K H'S_i W S_j H) - tr(K H'S_i H K H'S_j H)

(H, K, zeta as in `derivatives`; Lindstrom & Bates 1988, section 3). B counts the problems everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mixedsparse.core.problem.problem import Problem

__all__ = [
    "Batch",
    "Condition",
    "Parts",
    "Responses",
    "gram_table",
    "inverses",
    "level_products",
    "solve_beta",
    "times",
    "values_of",
]

# Effects of a level up to which a product of matrices costs less number by number than in calls of a library.
_TINY = 3


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Cross-products of B responses, each a residual on Q: Z'y (B, levels, K) per block, and y'y (B,)."""

    Zy: tuple[np.ndarray, ...]
    yy: np.ndarray

    @classmethod
    def of(cls, problem: Problem, count: int = 1) -> Responses:
        """Return the response of `problem` itself, `count` times."""
        Zy = tuple(np.broadcast_to(z[:, :, -1], (count, *z.shape[:2])) for z in problem.Zxy)
        return cls(Zy, np.full(count, problem.xy[-1, -1]))

    def take(self, index: np.ndarray | slice) -> Responses:
        """Return the responses `index`."""
        return Responses(tuple(z[index] for z in self.Zy), self.yy[index])


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """One linear condition on gamma per problem, row'gamma = value; a row (p,) of zeros is no condition."""

    row: np.ndarray
    value: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Parts of the criterion at B problems, and derivatives in the entries s (B, m) of the relative covariances.

    Attributes
    ----------
    logdet : ndarray, shape (B,)
        log |V_0|, plus log |Q'V_0^-1 Q| for REML.
    pwrss : ndarray, shape (B,)
        r^2.
    gamma : ndarray, shape (B, p)
    slope : ndarray, shape (B, m)
        Of logdet + tau pwrss.
    slope_pwrss : ndarray, shape (B, m)
    curve : ndarray, shape (B, m, m)
        Second derivatives of logdet + tau pwrss.
    pull, bend, cross : ndarray, shapes (B,), (B,), (B, m)
        Derivatives of pwrss in the value of the condition: first, second, and mixed with s.
    K : ndarray, shape (B, p, p)
        (Q'V_0^-1 Q)^-1, without the direction of the condition.
    xx_slopes : ndarray, shape (B, m, p, p)
        H'S_i H, by which Q'V_0^-1 Q falls as s_i grows.
    """

    logdet: np.ndarray
    pwrss: np.ndarray
    gamma: np.ndarray
    slope: np.ndarray
    slope_pwrss: np.ndarray
    curve: np.ndarray
    pull: np.ndarray
    bend: np.ndarray
    cross: np.ndarray
    K: np.ndarray
    xx_slopes: np.ndarray


class Batch(Protocol):
    """Evaluates B problems that share one design.

    Attributes
    ----------
    together : bool
        Whether all of them are evaluated at once, rather than one after the other.
    """

    problem: Problem
    together: bool

    def __call__(
        self, lams: list[np.ndarray], tau: np.ndarray, responses: Responses, condition: Condition, reml: bool
    ) -> Parts:
        """Parts at relative Lambda (B, K, K), one per block, with weights `tau` (B,) of pwrss."""
        ...

    def values(self, lams: list[np.ndarray], responses: Responses, reml: bool) -> tuple[float, np.ndarray]:
        """Logdet and pwrss (B,), as in `Parts`, of all `responses` at one relative Lambda (K, K) of each block."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Beta:
    """Least squares in gamma: K without the direction of the condition, `gamma_rate` = d gamma / d value."""

    gamma: np.ndarray
    K: np.ndarray
    pwrss: np.ndarray
    pull: np.ndarray
    bend: np.ndarray
    gamma_rate: np.ndarray


def solve_beta(xx: np.ndarray, xy: np.ndarray, yy: np.ndarray, condition: Condition) -> Beta:
    """Minimise over gamma under the condition, from xx = Q'V_0^-1 Q, xy and yy = y'V_0^-1 y."""
    K = inverses(xx)
    gamma = times(K, xy)
    if not condition.row.any():
        nothing = np.zeros(len(xy))
        return Beta(gamma, K, yy - (xy * gamma).sum(axis=1), nothing, nothing, np.zeros_like(gamma))
    Ka = times(K, condition.row)
    size = (condition.row * Ka).sum(axis=1)
    inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    gamma_rate = Ka * inverse[:, None]
    gap = (condition.row * gamma).sum(axis=1) - condition.value
    return Beta(
        gamma=gamma - gamma_rate * gap[:, None],
        K=K - Ka[:, :, None] * gamma_rate[:, None, :],
        pwrss=yy - (xy * gamma).sum(axis=1) + gap**2 * inverse,
        pull=-2.0 * gap * inverse,
        bend=2.0 * inverse,
        gamma_rate=gamma_rate,
    )


def values_of(batch: Batch, lams: list[np.ndarray], responses: Responses, reml: bool) -> tuple[float, np.ndarray]:
    """Answer `Batch.values` where no part of an evaluation can be spared."""
    count, p = len(responses.yy), batch.problem.p
    nothing = Condition(np.zeros((count, p)), np.zeros(count))
    parts = batch([np.repeat(lam[None], count, axis=0) for lam in lams], np.ones(count), responses, nothing, reml)
    return float(parts.logdet[0]) if count else np.nan, parts.pwrss


def inverses(matrices: np.ndarray) -> np.ndarray:
    """Return inverses (..., p, p); NaN for a matrix that has none."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        singular = np.linalg.slogdet(matrices)[0] == 0
        out = np.linalg.inv(np.where(singular[..., None, None], np.eye(matrices.shape[-1]), matrices))
        out[singular] = np.nan
        return out


def gram_table(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum of left[a, c] right[b, d] over the last axis: (B, a, c, x) twice to (B, a, b, c, d)."""
    count, rows, columns, _ = left.shape
    flat = left.reshape(count, rows * columns, -1) @ right.reshape(count, rows * columns, -1).swapaxes(1, 2)
    return flat.reshape(count, rows, columns, rows, columns).swapaxes(2, 3)


def level_products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Products of matrices (..., K, K) and (..., K, j) of many levels: number by number where they are tiny."""
    k = left.shape[-1]
    if k > _TINY:
        return left @ right
    out = left[..., :, 0, None] * right[..., 0, None, :]
    for a in range(1, k):
        out += left[..., :, a, None] * right[..., a, None, :]
    return out


def times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Matrix by vector, problem by problem."""
    return (matrices @ vectors[..., None])[..., 0]
