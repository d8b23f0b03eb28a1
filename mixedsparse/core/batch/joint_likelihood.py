"""The criterion as a function of all parameters, sigma included, in coordinates in which any one of them can be held.

    F(W, lambda) = log |V_0| + 2 df lambda + r^2 exp(-2 lambda) / sigma_0^2 + constants,   sigma = sigma_0 exp(lambda)

Coordinates x (m + 2): the entries of W, lambda, and a coefficient. W_t is the lower triangle of term t's covariance
sigma_0^2 W_t W_t' in whitened bases, not relative to sigma, and in an order of the term's effects that a `ProfileChart`
chooses: with effect i first, W_11 is proportional to its standard deviation; with j second, the correlation of i and j
is the sine of an angle that takes the place of W_21. So each parameter that users ask for is one coordinate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.batch.batch import Batch, Condition, Parts, Responses
from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.problem.problem import Problem

__all__ = ["JointCriterion", "JointPoint"]

# Relative standard deviation beyond which too much of the identity is lost in I + Z'Z Sigma.
_LARGEST = 1e5


@dataclass(frozen=True, slots=True, eq=False)
class JointPoint:
    """The criterion at B points.

    Attributes
    ----------
    value : ndarray, shape (B,)
        REML criterion or -2 log-likelihood, with all constants.
    gradient, hessian : ndarray, shapes (B, m + 2) and (B, m + 2, m + 2)
    gamma : ndarray, shape (B, p)
        Coefficients of Q that minimise it.
    """

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    gamma: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        """Mask (B,): whether value and derivatives are all finite."""
        derivatives = np.isfinite(self.gradient).all(axis=1) & np.isfinite(self.hessian).all(axis=(1, 2))
        return np.isfinite(self.value) & derivatives

    def take(self, index: np.ndarray) -> JointPoint:
        """Return the points `index`."""
        return JointPoint(self.value[index], self.gradient[index], self.hessian[index], self.gamma[index])

    def put(self, index: np.ndarray, new: JointPoint) -> None:
        """Write `new` over the points `index`."""
        self.value[index], self.gradient[index] = new.value, new.gradient
        self.hessian[index], self.gamma[index] = new.hessian, new.gamma


class JointCriterion:
    """F at many points, each with its own chart and response.

    Parameters
    ----------
    batch : Batch
        Evaluates log |V_0|, r^2 and their derivatives.
    charts : sequence of ProfileChart, length B
    responses : Responses
        Of the B problems.
    unit : float
        sigma_0, the unit of x.
    reml : bool
    """

    def __init__(
        self, batch: Batch, charts: Sequence[ProfileChart], responses: Responses, unit: float, reml: bool
    ) -> None:
        self.batch, self.responses, self.unit, self.reml = batch, responses, unit, reml
        self.problem: Problem = batch.problem
        problem = self.problem
        if problem.origin is not None:
            raise ValueError("Problems in step need the weights that Q is orthonormal with: make the problem anew.")
        self.df = problem.degrees(reml)
        self.constant = self.df * math.log(2.0 * math.pi * unit**2) - problem.sum_log_weights
        self.constant -= problem.log_det_penalty
        self.constant += problem.basis.log_det if reml else 0.0
        self.condition = Condition(np.array([c.row for c in charts]), np.array([c.shift for c in charts]))
        self.angles = np.array([c.angle for c in charts])
        self.slope = np.array([c.slope for c in charts])
        self.rotations = [np.array([c.rotation(t) for c in charts]) for t in range(len(problem.terms))]

    def __call__(self, x: np.ndarray, index: np.ndarray) -> JointPoint:
        """Evaluate the problems `index` at x (len(index), m + 2); infinite, or NaN, where that cannot be done."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._evaluate(x, index)[0]

    def at(self, x: np.ndarray, index: np.ndarray) -> tuple[JointPoint, Parts, np.ndarray]:
        """Return also what the criterion is made of, and ds / d(W, lambda) (B, m, m + 1); for charts without angles."""
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return self._evaluate(x, index)

    def _evaluate(self, x: np.ndarray, index: np.ndarray) -> tuple[JointPoint, Parts, np.ndarray]:
        y, turn = self._triangle_entries(x, index)
        level = x[:, -2]
        shrink = np.exp(-level)
        tau = shrink**2 / self.unit**2
        lams, s, J = self._relative(y, shrink, index)
        huge = _replace_huge(lams)
        condition = Condition(self.condition.row[index], self.condition.value[index] + x[:, -1])
        pieces = self.batch(lams, tau, self.responses.take(index), condition, self.reml)
        value = pieces.logdet + 2.0 * self.df * level + tau * pieces.pwrss + self.constant
        value[huge] = np.inf
        # All of x that moves s: W through J, lambda through -2 s.
        moves = np.concatenate([J, -2.0 * s[:, :, None]], axis=2)
        gradient, hessian = self._chain(pieces, moves, tau, index)
        if turn is not None:
            gradient, hessian = _turn(gradient, hessian, *turn)
        return JointPoint(value, gradient, hessian, pieces.gamma), pieces, moves

    def covariances(self, x: np.ndarray, index: np.ndarray) -> list[np.ndarray]:
        """Covariance matrices (len(index), k, k) of the random effects of each term, the user's basis and units."""
        y, _ = self._triangle_entries(x, index)
        out = []
        for t, whiten in enumerate(self.problem.layout.whiten):
            half = self.unit * np.linalg.inv(whiten) @ self.rotations[t][index] @ self._triangle(y, t)
            out.append(half @ half.swapaxes(1, 2))
        return out

    def _triangle(self, y: np.ndarray, t: int) -> np.ndarray:
        """W_t, (B, k, k)."""
        layout = self.problem.theta_layout
        mine = layout.term == t
        out = np.zeros((len(y), layout.widths[t], layout.widths[t]))
        out[:, layout.row[mine], layout.col[mine]] = y[:, mine]
        return out

    def _triangle_entries(
        self, x: np.ndarray, index: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None]:
        """Entries of W (B, m) from x; and, where some chart has an angle, the Jacobian and the second derivatives."""
        m = self.problem.n_theta
        y = x[:, :m].copy()
        bent = np.flatnonzero(self.angles[index, 0] >= 0)
        if not len(bent):
            return y, None
        first, angle, radius = self.angles[index[bent]].T
        turned, length = x[bent, angle], x[bent, radius]
        sine, cosine = np.sin(turned), np.cos(turned)
        y[bent, angle] = self.slope[index[bent]] * x[bent, first] + length * sine
        y[bent, radius] = length * cosine
        jacobian = np.broadcast_to(np.eye(m + 2), (len(x), m + 2, m + 2)).copy()
        jacobian[bent, angle, first] = self.slope[index[bent]]
        jacobian[bent, angle, angle], jacobian[bent, angle, radius] = length * cosine, sine
        jacobian[bent, radius, angle], jacobian[bent, radius, radius] = -length * sine, cosine
        second = np.zeros((len(x), m + 2, m + 2, m + 2))
        second[bent, angle, angle, angle], second[bent, radius, angle, angle] = -length * sine, -length * cosine
        second[bent, angle, angle, radius] = second[bent, angle, radius, angle] = cosine
        second[bent, radius, angle, radius] = second[bent, radius, radius, angle] = -sine
        return y, (jacobian, second)

    def _relative(
        self, y: np.ndarray, shrink: np.ndarray, index: np.ndarray
    ) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Relative Lambda of the blocks, entries s (B, m) of the covariances, and ds/dW (B, m, m)."""
        layout, terms = self.problem.layout, self.problem.theta_layout
        count, m = y.shape
        lams = [np.zeros((count, k, k)) for k in layout.widths]
        s, J = np.empty((count, m)), np.zeros((count, m, m))
        for t, rotations in enumerate(self.rotations):
            mine = np.flatnonzero(terms.term == t)
            row, col, turned = terms.row[mine], terms.col[mine], rotations[index]
            half = shrink[:, None, None] * (turned @ self._triangle(y, t))
            inside = slice(layout.term_start[t], layout.term_start[t] + terms.widths[t])
            lams[layout.term_block[t]][:, inside, inside] = half
            s[:, mine] = (half @ half.swapaxes(1, 2))[:, row, col]
            a, b = row[:, None], col[:, None]
            moved = turned[:, a, row] * half[:, b, col] + half[:, a, col] * turned[:, b, row]
            J[:, mine[:, None], mine] = shrink[:, None, None] * moved
        return lams, s, J

    def _chain(
        self, pieces: Parts, full: np.ndarray, tau: np.ndarray, index: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and Hessian in (W, lambda, coefficient), of which the first two move s by `full` (B, m, m + 1)."""
        count, m, _ = full.shape
        gradient, hessian = np.empty((count, m + 2)), np.empty((count, m + 2, m + 2))
        back = full.swapaxes(1, 2)
        pulled = (back @ pieces.slope[..., None])[..., 0]
        wide = tau[:, None]
        gradient[:, :-1] = pulled
        gradient[:, -2] += 2.0 * (self.df - tau * pieces.pwrss)
        gradient[:, -1] = tau * pieces.pull
        hessian[:, :-1, :-1] = back @ pieces.curve @ full
        # tau falls as exp(-2 lambda), and so does every derivative of s.
        falling = -2.0 * (pulled + wide * (back @ pieces.slope_pwrss[..., None])[..., 0])
        hessian[:, :-1, -2] += falling
        hessian[:, -2, :-1] += falling
        # d2s / dlambda2 = 4 s is counted twice in `falling`.
        hessian[:, -2, -2] += 2.0 * pulled[:, -1] + 4.0 * tau * pieces.pwrss
        hessian[:, :m, :m] += self._curvature(pieces.slope, tau, index)
        mixed = wide * (back @ pieces.cross[..., None])[..., 0]
        mixed[:, -1] -= 2.0 * tau * pieces.pull
        hessian[:, :-1, -1] = hessian[:, -1, :-1] = mixed
        hessian[:, -1, -1] = tau * pieces.bend
        return gradient, hessian

    def _curvature(self, slope: np.ndarray, tau: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return the slope of the criterion in s times d2s / dW2, (B, m, m): entries of one column of W meet."""
        terms = self.problem.theta_layout
        out = np.zeros((*slope.shape, slope.shape[1]))
        for t, rotations in enumerate(self.rotations):
            mine = np.flatnonzero(terms.term == t)
            row, col, turned = terms.row[mine], terms.col[mine], rotations[index]
            score = np.zeros((len(slope), terms.widths[t], terms.widths[t]))
            score[:, row, col] += 0.5 * slope[:, mine]
            score[:, col, row] += 0.5 * slope[:, mine]
            score = turned.swapaxes(1, 2) @ score @ turned
            out[:, mine[:, None], mine] = 2.0 * score[:, row[:, None], row] * (col[:, None] == col)
        return (tau * self.unit**2)[:, None, None] * out


def _replace_huge(lams: list[np.ndarray]) -> np.ndarray:
    """Set Lambda to 0 where they are too large for a factorisation to mean anything; returns the mask (B,)."""
    huge = np.any([~(np.abs(f).max(axis=(1, 2)) < _LARGEST) for f in lams], axis=0)
    for f in lams:
        f[huge] = 0.0
    return huge


def _turn(
    gradient: np.ndarray, hessian: np.ndarray, jacobian: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivatives in x from those in (W, lambda, coefficient)."""
    bent = np.einsum("zi,zijk->zjk", gradient, second)
    gradient = (jacobian.swapaxes(1, 2) @ gradient[..., None])[..., 0]
    return gradient, jacobian.swapaxes(1, 2) @ hessian @ jacobian + bent
