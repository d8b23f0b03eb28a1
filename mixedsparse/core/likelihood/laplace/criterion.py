"""-2 log-likelihood by Laplace's approximation, its exact gradient, and its curvature.

At the mode, with M = Lambda'Z'WZ Lambda + I and everything of `derivatives` (V_0 = W^-1 + Z Sigma Z' here),

    d(theta, gamma, psi) = -2 sum l + u'u + log|M|

With v_i = z_i'Lambda M^-1 Lambda'z_i the conditional variance of eta_i, t = v kappa, alpha = Z't - Z'WZ c and
c = Lambda M^-1 Lambda'Z't the adjoint of the mode, the gradient is

    theta:  2 G Lambda,  G = sum over levels of [Z'V_0^-1 Z]_ll - zeta zeta' + (alpha zeta' + zeta alpha') / 2
    gamma:  Q't - Q'WZ c - 2 Q's
    psi:    -2 sum l_psi + sum v w_psi + c'Z's_psi

The curvature is the exact Hessian of the first two parts of d, plus that of log|M| as if W did not move: average
information, as in `derivatives`, with gamma free. What W adds is left to secants. The same solves give the derivatives
of the mode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.likelihood.derivatives import right_divide, times_columns
from mixedsparse.core.likelihood.interface import Factored
from mixedsparse.core.likelihood.laplace.data import Data, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode, find_mode
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.entries import bend, times_slopes
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Curvature", "LaplaceCriterion", "Parameters", "Point"]

# Diagonal entries of Lambda are kept this far from 0, so that G Lambda can be divided by Lambda.
_OFF_ZERO = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Theta of the whitened bases (m,), gamma (p,) and psi."""

    theta: np.ndarray
    gamma: np.ndarray
    psi: float = 0.0


@dataclass(frozen=True, eq=False)
class Point:
    """The criterion at one set of parameters.

    Attributes
    ----------
    vector : ndarray
        theta, gamma and, where the family has a dispersion, psi.
    parameters : Parameters
    lams : list of ndarray (K, K)
    mode : Mode
    criterion : float
        -2 log-likelihood, all constants included.
    """

    vector: np.ndarray
    parameters: Parameters
    lams: list[np.ndarray]
    mode: Mode
    criterion: float


@dataclass(frozen=True, slots=True, eq=False)
class Curvature:
    """Derivatives at a point.

    Attributes
    ----------
    gradient : ndarray, shape (r,)
    hessian : ndarray, shape (r, r)
        Without what the movement of the weights adds to log|M|.
    information : ndarray, shape (p, p)
        Q'V_0^-1 Q.
    motion : list of ndarray (levels, K, r)
        Derivatives of zeta.
    """

    gradient: np.ndarray
    hessian: np.ndarray
    information: np.ndarray
    motion: Vectors

    @property
    def finite(self) -> bool:
        """Whether every derivative is."""
        return bool(np.isfinite(self.gradient).all() and np.isfinite(self.hessian).all())


class LaplaceCriterion:
    """-2 log-likelihood of a generalized model as a function of theta, gamma and psi together."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.layout: BlockLayout = data.problem.layout
        self.m, self.p = data.problem.n_theta, data.p
        self.size = self.m + self.p + int(data.family.has_dispersion)

    def parameters(self, vector: np.ndarray) -> Parameters:
        """Split a parameter vector."""
        m, p = self.m, self.p
        psi = float(vector[-1]) if self.size > m + p else self.data.family.psi
        return Parameters(vector[:m], vector[m : m + p], psi)

    def at_rest(self) -> Vectors:
        """Return zeta = 0, where a search without a better start begins."""
        layout = self.layout
        return [np.zeros((n, k)) for n, k in zip(layout.n_levels, layout.widths, strict=True)]

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def evaluate(self, vector: np.ndarray, *starts: Vectors, near: Factored | None = None) -> Point:
        """Criterion at `vector`, the mode searched from the best of the `starts` of zeta; see `find_mode`.

        Raises
        ------
        NotPositiveDefiniteError
            The likelihood has no value, or no mode, at these parameters.
        """
        if not np.isfinite(vector).all():
            raise NotPositiveDefiniteError("A parameter is not finite.")
        at = self.parameters(vector)
        lams = self._factors(at)
        mode = find_mode(self.data, lams, self.data.fixed(at.gamma), at.psi, starts, near)
        criterion = self.value(mode, lams, at.psi) - 2.0 * self.data.constant
        if not np.isfinite(criterion):
            raise NotPositiveDefiniteError("The criterion is not finite at these parameters.")
        return Point(vector, at, lams, mode, criterion)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def refined(self, point: Point, vector: np.ndarray, zeta: Vectors) -> Vectors:
        """Take one step towards the mode at a `vector` close to `point`, by the factor that is at hand there."""
        at = self.parameters(vector)
        lams = self._factors(at)
        b = [(z @ lam) @ lam.T for z, lam in zip(zeta, lams, strict=True)]
        s = self.data.rows(self.data.fixed(at.gamma) + self.data.spread(b), at.psi).s
        left = [sums - z[:, :, None] for sums, z in zip(self.data.sums(s[:, None]), zeta, strict=True)]
        return [z + d[:, :, 0] for z, d in zip(zeta, point.mode.factor.project(left), strict=True)]

    def _factors(self, at: Parameters) -> list[np.ndarray]:
        """Lambda of each block, its diagonal kept off 0."""
        small = self.layout.is_diagonal & (np.abs(at.theta) < _OFF_ZERO)
        return self.layout.lams(np.where(small, np.copysign(_OFF_ZERO, at.theta), at.theta))

    def value(self, mode: Mode, lams: list[np.ndarray], psi: float) -> float:
        """-2 log-likelihood without the constant, at an evaluated mode."""
        return mode.h + mode.factor.logdet

    def gradient(self, point: Point) -> np.ndarray:
        """Exact gradient (r,)."""
        return self._gradient(point)[0]

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _gradient(self, point: Point) -> tuple[np.ndarray, Vectors]:
        """Exact gradient, and sum of [Z'V_0^-1 Z]_ll Lambda per block."""
        data, mode, lams = self.data, point.mode, point.lams
        terms, factor = mode.terms, mode.factor
        variances = data.quadratic_forms(*factor.pattern_covariances())
        t = variances * terms.kappa
        modes, alpha = factor.solve(data.sums(t[:, None]))
        traces = factor.traces()
        slopes = []
        for trace, lam, zeta, own in zip(traces, lams, mode.zeta, alpha, strict=True):
            mixed = own[:, :, 0].T @ zeta
            slopes.append(trace + (0.5 * (mixed + mixed.T) - zeta.T @ zeta) @ lam)
        moved = data.spread([c[:, :, 0] for c in modes])
        parts = [2.0 * self.layout.gather(slopes), data.Q.T @ (t - terms.w * moved - 2.0 * terms.s)]
        if self.size > self.m + self.p:
            d = data.family.dispersion_rows(data.y, data.m, mode.eta, point.parameters.psi)
            parts.append(np.array([-2.0 * d.value.sum() + variances @ d.w + moved @ d.s]))
        return np.concatenate(parts), traces

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def differentiate(self, point: Point) -> Curvature:
        """Exact gradient, curvature and motion of the mode."""
        data, mode, m, p = self.data, point.mode, self.m, self.p
        directions = times_slopes(self.layout, point.lams, mode.zeta)
        weighted = data.Q * mode.terms.w[:, None]
        sides = [mode.engine.times(directions), data.sums(weighted)]
        d = None
        if self.size > m + p:
            d = data.family.dispersion_rows(data.y, data.m, mode.eta, point.parameters.psi)
            sides.append(data.sums(d.s[:, None]))
        right = [np.concatenate(own, axis=2) for own in zip(*sides, strict=True)]
        modes, projected = mode.factor.solve(right)
        gradient, traces = self._gradient(point)
        # Inner products of all right-hand sides with all solutions, through C and through V_0^-1.
        inner = times_columns(right, modes)
        against = times_columns(directions, projected)
        information = data.Q.T @ weighted - inner[m : m + p, m : m + p]
        hessian = np.zeros((self.size, self.size))
        cross = against[:, m : m + p]
        # Twice the part of h, less the average information of log|M|, which has gamma projected out.
        hessian[:m, :m] = against[:, :m] + cross @ np.linalg.solve(information, cross.T) if p else against[:, :m]
        hessian[:m, m : m + p] = 2.0 * cross
        hessian[m : m + p, m : m + p] = 2.0 * information
        if d is not None:
            hessian[:m, -1] = -2.0 * against[:, -1]
            hessian[m : m + p, -1] = -2.0 * (data.Q.T @ d.s - inner[m : m + p, -1])
            hessian[-1, -1] = -2.0 * (d.second.sum() + inner[-1, -1])
        self._add_curvature(hessian, point, traces)
        upper = np.triu(hessian)
        hessian = upper + np.triu(hessian, 1).T
        motion = [np.concatenate([-v[:, :, : m + p], v[:, :, m + p :]], axis=2) for v in projected]
        return Curvature(gradient, hessian, information, motion)

    def _add_curvature(self, hessian: np.ndarray, point: Point, traces: Vectors) -> None:
        """Add what comes from the second derivatives of Sigma, times Gamma - zeta zeta'."""
        scores = [
            right_divide(trace, lam) - zeta.T @ zeta
            for trace, lam, zeta in zip(traces, point.lams, point.mode.zeta, strict=True)
        ]
        hessian[: self.m, : self.m] += bend(self.layout, scores)
