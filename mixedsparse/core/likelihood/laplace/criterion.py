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
from functools import cached_property

import numpy as np

from mixedsparse.core.likelihood.derivatives import right_divide, times_columns
from mixedsparse.core.likelihood.laplace.data import Data, Slopes, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode, find_mode
from mixedsparse.core.likelihood.laplace.nested import Nested, make_nested
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.entries import bend, times_slopes
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Curvature", "LaplaceCriterion", "Parameters", "Point", "solved"]

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

    # Whether the derivatives are those of the compiled loops, where the rows are nested.
    is_compiled = True

    def __init__(self, data: Data) -> None:
        self.data = data
        self.layout: BlockLayout = data.problem.layout
        self.m, self.p = data.problem.n_theta, data.p
        self.size = self.m + self.p + int(data.family.has_dispersion)

    @cached_property
    def nested(self) -> Nested | None:
        """The rows for compiled loops, where the factors are nested."""
        return make_nested(self.data)

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
    def evaluate(self, vector: np.ndarray, *starts: Vectors, near: Mode | None = None) -> Point:
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
        if self.nested is None:
            mode = find_mode(self.data, lams, self.data.fixed(at.gamma), at.psi, starts, near)
        else:
            mode = self.nested.find_mode(lams, at.gamma, starts, self.is_compiled)
        criterion = self.value(mode, lams, at.psi) - 2.0 * self.data.constant
        if not np.isfinite(criterion):
            raise NotPositiveDefiniteError("The criterion is not finite at these parameters.")
        return Point(vector, at, lams, mode, criterion)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def gradient_near(self, point: Point, vector: np.ndarray, zeta: Vectors) -> np.ndarray:
        """Exact gradient at a `vector` close to `point`, whose mode is predicted to be at `zeta`."""
        if self.nested is None or not self.is_compiled:
            return self.gradient(self.evaluate(vector, self.refined(point, vector, zeta)))
        at = self.parameters(vector)
        slopes = self.nested.slopes_at(self._factors(at), at.gamma, zeta)
        return np.concatenate([slopes.theta, slopes.gamma])

    def refined(self, point: Point, vector: np.ndarray, zeta: Vectors) -> Vectors:
        """Take one step towards the mode at a `vector` close to `point`, by the factor that is at hand there."""
        if self.nested is not None:
            return zeta
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
        return mode.h + mode.logdet

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def with_expected_information(self, point: Point) -> float:
        """Criterion at an evaluated point with expected in the place of observed information in log|M|, as in lme4."""
        mode = point.mode
        weights = self.data.expected_weights(mode.eta, point.parameters.psi)
        logdet = self.data.weighted(weights).factorize(point.lams).logdet
        return point.criterion - mode.logdet + logdet

    def gradient(self, point: Point) -> np.ndarray:
        """Exact gradient (r,)."""
        slopes = self._visited(point)
        return self._gradient(point)[0] if slopes is None else np.concatenate([slopes.theta, slopes.gamma])

    def _visited(self, point: Point) -> Slopes | None:
        """Return what compiled loops found, where there are any for this design."""
        return point.mode.visited

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
        slopes = self._visited(point)
        if slopes is not None:
            return self._curvature_of(point, slopes)
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
        hessian = self._hessian_of(against[:, :m], against[:, m : m + p], information)
        if d is not None:
            hessian[:m, -1] = -2.0 * against[:, -1]
            hessian[m : m + p, -1] = -2.0 * (data.Q.T @ d.s - inner[m : m + p, -1])
            hessian[-1] = hessian[:, -1]
            hessian[-1, -1] = -2.0 * (d.second.sum() + inner[-1, -1])
        hessian = self._bent(hessian, point, traces)
        motion = [np.concatenate([-v[:, :, : m + p], v[:, :, m + p :]], axis=2) for v in projected]
        return Curvature(gradient, hessian, information, motion)

    def _curvature_of(self, point: Point, slopes: Slopes) -> Curvature:
        """Return the derivatives that compiled loops found."""
        assert self.nested is not None
        m, inner = self.m, slopes.inner
        information = inner[m:, m:]
        hessian = self._hessian_of(inner[:m, :m], inner[:m, m:], information)
        hessian[:m, :m] += self.nested.bend(point.lams, slopes)
        gradient = np.concatenate([slopes.theta, slopes.gamma])
        return Curvature(gradient, 0.5 * (hessian + hessian.T), information, slopes.motion)

    def _hessian_of(self, inner: np.ndarray, cross: np.ndarray, information: np.ndarray) -> np.ndarray:
        """Twice the part of h, less the average information of log|M|, which has gamma projected out.

        `inner` (m, m) and `cross` (m, p) are products of the directions of theta, and with those of gamma, by V_0^-1.
        """
        m, p = self.m, self.p
        hessian = np.zeros((self.size, self.size))
        hessian[:m, :m] = inner + cross @ solved(information, cross.T) if p else inner
        hessian[:m, m : m + p] = 2.0 * cross
        hessian[m : m + p, :m] = 2.0 * cross.T
        hessian[m : m + p, m : m + p] = 2.0 * information
        return hessian

    def _bent(self, hessian: np.ndarray, point: Point, traces: Vectors) -> np.ndarray:
        """Add what comes from the second derivatives of Sigma, times Gamma - zeta zeta'; exactly symmetric."""
        scores = [
            right_divide(trace, lam) - zeta.T @ zeta
            for trace, lam, zeta in zip(traces, point.lams, point.mode.zeta, strict=True)
        ]
        hessian[: self.m, : self.m] += bend(self.layout, scores)
        return 0.5 * (hessian + hessian.T)


def solved(information: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve with the information on gamma (p, p); NaN where the rows say nothing of some coefficient."""
    try:
        return np.linalg.solve(information, right)
    except np.linalg.LinAlgError:
        return np.full_like(right, np.nan)
