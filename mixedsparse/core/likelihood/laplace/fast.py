"""Coefficients by penalised least squares: gamma minimises h with the modes, d is minimised over theta and psi.

This is no maximum of the likelihood by Laplace's approximation, whose log|M| depends on gamma too (lme4 calls it
nAGQ = 0). By the implicit function theorem, with H the Hessian of h minimised over the modes,

    d d / d theta = d_theta - H_theta,gamma H_gamma,gamma^-1 d_gamma
"""

from __future__ import annotations

import numpy as np

from mixedsparse.core.likelihood.laplace.criterion import Curvature, LaplaceCriterion, Point, solved
from mixedsparse.core.likelihood.laplace.data import Slopes, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["FastCriterion"]

_MOST_STEPS = 50
_MOST_HALVINGS = 20
# Decrement of h, relative to it, from which on gamma is exact.
_EXACT = 1e-20
_ROUNDING = 1e-12


class FastCriterion(LaplaceCriterion):
    """-2 log-likelihood at the gamma that belongs to theta and psi; that of a vector is where its search starts."""

    is_compiled = False

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def evaluate(self, vector: np.ndarray, *starts: Vectors, near: Mode | None = None) -> Point:
        """Criterion at theta and psi of `vector`; the point has the gamma that was found."""
        at = super().evaluate(vector, *starts, near=near)
        for _ in range(_MOST_STEPS):
            score = self.data.Q.T @ at.mode.terms.s
            information, projected = self._information(at)
            step = solved(information, score) if self.p else score
            if not np.isfinite(step).all():
                break
            if float(score @ step) <= _EXACT * max(1.0, abs(at.mode.h)):
                return at
            moved = self._stepped(at, step, projected)
            if moved is None:
                return at
            at = moved
        raise NotPositiveDefiniteError("The coefficients have no optimum at these parameters.")

    def _information(self, at: Point) -> tuple[np.ndarray, Vectors]:
        """Q'V_0^-1 Q and Z'V_0^-1 Q."""
        weighted = self.data.Q * at.mode.terms.w[:, None]
        sums = self.data.sums(weighted)
        modes, projected = at.mode.factor.solve(sums)
        inner = sum(np.tensordot(a, b, axes=((0, 1), (0, 1))) for a, b in zip(sums, modes, strict=True))
        return self.data.Q.T @ weighted - inner, projected

    def _stepped(self, at: Point, step: np.ndarray, projected: Vectors) -> Point | None:
        """Point with another gamma, the step halved until h does not rise; None where it always does."""
        share, inside = 1.0, slice(self.m, self.m + self.p)
        for _ in range(_MOST_HALVINGS):
            vector = at.vector.copy()
            vector[inside] += share * step
            zeta = [z - share * (v @ step) for z, v in zip(at.mode.zeta, projected, strict=True)]
            try:
                new = super().evaluate(vector, zeta)
            except NotPositiveDefiniteError:
                new = None
            if new is not None and new.mode.h <= at.mode.h + _ROUNDING * abs(at.mode.h):
                return new
            share *= 0.5
        return None

    def _visited(self, point: Point) -> Slopes | None:
        """Return what compiled loops find, once gamma is found too."""
        if self.nested is None:
            return None
        return self.nested.slopes_at(point.lams, point.parameters.gamma, point.mode.zeta, curved=True)

    def gradient(self, point: Point) -> np.ndarray:
        """Exact gradient, 0 for gamma."""
        return self.differentiate(point).gradient

    def differentiate(self, point: Point) -> Curvature:
        """Let gamma follow theta and psi; derivatives in gamma itself are 0, its block of the Hessian is that of h."""
        plain = super().differentiate(point)
        inside = np.arange(self.m, self.m + self.p)
        others = np.setdiff1d(np.arange(self.size), inside)
        # d gamma / d (theta, psi).
        follows = -solved(plain.hessian[np.ix_(inside, inside)], plain.hessian[np.ix_(inside, others)])
        gradient, hessian = np.zeros(self.size), np.zeros((self.size, self.size))
        gradient[others] = plain.gradient[others] + follows.T @ plain.gradient[inside]
        hessian[np.ix_(inside, inside)] = plain.hessian[np.ix_(inside, inside)]
        hessian[np.ix_(others, others)] = (
            plain.hessian[np.ix_(others, others)] + plain.hessian[np.ix_(others, inside)] @ follows
        )
        motion = []
        for moves in plain.motion:
            own = moves.copy()
            own[:, :, others] += moves[:, :, inside] @ follows
            own[:, :, inside] = 0.0
            motion.append(own)
        return Curvature(gradient, hessian, plain.information, motion)
