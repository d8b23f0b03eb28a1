"""-2 log-likelihood by adaptive Gauss-Hermite quadrature, one grouping factor with a few correlated effects per level.

With M_g = Lambda'Z'WZ Lambda + I = L L' of a level, T = L^-T, nodes u_j = u + T x_j around its mode and weights omega_j
of the tensor rule, and F(u) = sum l - u'u / 2,

    d = -2 sum over levels of  log sum_j omega_j exp(F(u_j) + x_j'x_j / 2) - log|L|

One node is Laplace's approximation. The gradient includes how the nodes move with mode and factor (derived by the
adjoint of both; p_j are the posterior weights of the nodes): with f_j = Lambda'Z's(u_j) - u_j, its mean f,
B = sum p_j x_j (T'f_j)', B_s its lower triangle halved onto both sides and

    H = M^-1 / 2 + T B_s T',  h_i = z_i'Lambda H Lambda'z_i,  t = h kappa,  a = M^-1 (Lambda'Z't - f),
    tau = 2 (t - W Z Lambda a)

    theta:  -2 sum p_j (Z's(u_j)) u_j' + 4 Z'WZ Lambda H + (Z'tau) u' + 2 zeta a'
    gamma:  Q'(tau - 2 sum p_j s(u_j))
    psi:    -2 sum p_j l_psi(u_j) + 2 sum h w_psi + 2 (Z Lambda a)'s_psi
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import logsumexp

from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion, Point
from mixedsparse.core.likelihood.laplace.data import Data, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["MOST_EFFECTS", "QuadratureCriterion", "takes_quadrature"]

# Effects per level up to which a tensor rule is affordable.
MOST_EFFECTS = 3


class _Some(NamedTuple):
    """Some of the nodes: which, their linear predictors (n, c), and u (levels, K, c)."""

    which: slice
    eta: np.ndarray
    u: np.ndarray


def takes_quadrature(data: Data) -> bool:
    """Whether the design has one grouping factor with few enough effects per level."""
    widths = data.problem.layout.widths
    return len(widths) == 1 and widths[0] <= MOST_EFFECTS


class QuadratureCriterion(LaplaceCriterion):
    """-2 log-likelihood by `nodes` points per effect."""

    is_compiled = False

    def __init__(self, data: Data, nodes: int) -> None:
        super().__init__(data)
        k = self.layout.widths[0]
        at, weight = np.polynomial.hermite_e.hermegauss(nodes)
        index = np.array(list(product(range(nodes), repeat=k)))
        self.x = at[index]
        log = np.log(weight / np.sqrt(2.0 * np.pi))[index].sum(axis=1)
        self.log_weight = log + 0.5 * np.square(self.x).sum(axis=1)

    @cached_property
    def _levels(self) -> sparse.csr_matrix:
        """Rows to levels, (levels, n)."""
        (block,) = self.data.blocks
        n = len(block.codes)
        onehot = sparse.csr_matrix((np.ones(n), block.codes, np.arange(n + 1)), shape=(n, block.n_levels))
        return onehot.T.tocsr()

    def value(self, mode: Mode, lams: list[np.ndarray], psi: float) -> float:
        """-2 log-likelihood without the constant."""
        scale, pivots = self._scales(mode, lams)
        logs = self._logs(mode, lams, psi, scale)
        return float(-2.0 * (logsumexp(logs, axis=1).sum() - np.log(pivots).sum()))

    def _scales(self, mode: Mode, lams: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """T (levels, K, K) and the pivots of L (levels, K)."""
        (lam,), (gram,) = lams, mode.engine.problem.grams
        try:
            root = np.linalg.cholesky(lam.T @ gram @ lam + np.eye(len(lam)))
        except np.linalg.LinAlgError as err:
            raise NotPositiveDefiniteError("A level has no curvature at its mode.") from err
        return np.linalg.inv(root).swapaxes(1, 2), np.diagonal(root, axis1=1, axis2=2)

    def _nodes(self, mode: Mode, lams: list[np.ndarray], scale: np.ndarray) -> Iterator[_Some]:
        """Nodes, some at a time."""
        (block,), (lam,) = self.data.blocks, lams
        centre = mode.zeta[0] @ lam
        rows = np.einsum("nk,nkl->nl", block.z, (lam @ scale)[block.codes])
        step = max(1, self.data.engine.limits.nodes // len(rows))
        for start in range(0, len(self.x), step):
            inside = slice(start, start + step)
            x = self.x[inside]
            yield _Some(inside, mode.eta[:, None] + rows @ x.T, centre[:, :, None] + scale @ x.T)

    def _columns(self, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Response and weights, once per node."""
        return np.broadcast_to(self.data.y[:, None], shape), np.broadcast_to(self.data.m[:, None], shape)

    def _logs(self, mode: Mode, lams: list[np.ndarray], psi: float, scale: np.ndarray) -> np.ndarray:
        """Log of the weighted integrand at the nodes, (levels, nodes)."""
        out = np.empty((len(scale), len(self.x)))
        for inside, eta, u in self._nodes(mode, lams, scale):
            values = self.data.family.rows(*self._columns(eta.shape), eta, psi).value
            out[:, inside] = self._levels @ values - 0.5 * np.square(u).sum(axis=1)
        return out + self.log_weight

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _gradient(self, point: Point) -> tuple[np.ndarray, Vectors]:
        """Exact gradient, and the traces of Laplace's approximation for its curvature."""
        data, mode, lam, psi = self.data, point.mode, point.lams[0], point.parameters.psi
        (block,), (gram,) = data.blocks, mode.engine.problem.grams
        scale, _ = self._scales(mode, point.lams)
        logs = self._logs(mode, point.lams, psi, scale)
        posterior = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        levels, k = len(scale), len(lam)
        mean_f, cross = np.zeros((levels, k)), np.zeros((levels, k, k))
        outer, mean_s, slope = np.zeros((k, k)), np.zeros(data.n), 0.0
        for inside, eta, u in self._nodes(mode, point.lams, scale):
            y, m = self._columns(eta.shape)
            p = posterior[:, inside]
            s = data.family.rows(y, m, eta, psi).s
            sums = np.stack([self._levels @ (block.z[:, a, None] * s) for a in range(k)], axis=1)
            f = np.einsum("ab,gac->gbc", lam, sums) - u
            mean_f += np.einsum("gc,gbc->gb", p, f)
            turned = np.einsum("gab,gac->gbc", scale, f)
            cross += np.einsum("gc,ca,gbc->gab", p, self.x[inside], turned, optimize=True)
            outer += np.einsum("gc,gac,gbc->ab", p, sums, u, optimize=True)
            of_rows = p[block.codes]
            mean_s += (of_rows * s).sum(axis=1)
            if data.family.has_dispersion:
                slope += float((of_rows * data.family.dispersion_rows(y, m, eta, psi).value).sum())
        lower = np.tril(cross)
        inverse = scale @ scale.swapaxes(1, 2)
        moved = 0.5 * inverse + scale @ (0.5 * (np.tril(lower, -1) + np.tril(lower, -1).swapaxes(1, 2))) @ (
            scale.swapaxes(1, 2)
        )
        diagonal = 0.5 * np.einsum("gaa->ga", cross)
        moved += (scale * diagonal[:, None, :]) @ scale.swapaxes(1, 2)
        shares = data.quadratic_forms([lam @ moved @ lam.T], {})
        t = shares * mode.terms.kappa
        (sums_t,) = data.sums(t[:, None])
        a = (inverse @ ((sums_t[:, :, 0] @ lam) - mean_f)[:, :, None])[:, :, 0]
        spread = data.spread([a @ lam.T])
        tau = 2.0 * (t - mode.terms.w * spread)
        zeta, u = mode.zeta[0], mode.zeta[0] @ lam
        (sums_tau,) = data.sums(tau[:, None])
        theta = -2.0 * outer + 4.0 * np.einsum("gab,bc,gcd->ad", gram, lam, moved, optimize=True)
        theta += sums_tau[:, :, 0].T @ u + 2.0 * zeta.T @ a
        parts = [self.layout.gather([theta]), data.Q.T @ (tau - 2.0 * mean_s)]
        if data.family.has_dispersion:
            d = data.family.dispersion_rows(data.y, data.m, mode.eta, psi)
            parts.append(np.array([-2.0 * slope + 2.0 * (shares @ d.w + spread @ d.s)]))
        return np.concatenate(parts), mode.factor.traces()
