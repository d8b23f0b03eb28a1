"""The criterion from the observations by orthogonal factorisation, for ill-conditioned problems of moderate size.

With C = [Q r] and the QR factorisation

    [Z Lambda, C; I, 0] = H R

R' is the Cholesky factor L of `dense`, but no cross-product is formed: what `dense` loses by a factor kappa^2 is lost
by kappa here (Golub & Van Loan 2013, section 5.3.8). Y = H_1'Z, and Z'P_0 Z is the cross-product of what the columns of
H, but for the last, leave of [Z; 0], instead of a difference.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr

from mixedsparse.core.engines.dense.cholesky import DenseCriterion, DensePoint
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import criterion_value
from mixedsparse.core.likelihood.rows import can_use_rows
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["OrthogonalCriterion", "can_be_orthogonal"]


def can_be_orthogonal(engine: Engine) -> bool:
    """Whether the rows are in memory, and their factorisation takes a fraction of a second."""
    problem = engine.problem
    width = problem.layout.q + problem.p + 1
    work = float(problem.n + problem.layout.q) * width**2
    return engine.stochastic is None and work <= engine.limits.orthogonal and can_use_rows(problem)


class OrthogonalCriterion(DenseCriterion):
    """REML criterion or -2 log-likelihood of the problem of `engine` from its rows; see the module docstring."""

    def __init__(self, engine: Engine, reml: bool) -> None:
        super().__init__(engine, reml)
        problem, q = self.problem, self.layout.q
        self.z = np.zeros((problem.n, q))
        row = np.arange(problem.n)
        for slab, block in zip(self.slabs, problem.blocks, strict=True):
            for a in range(block.width):
                self.z[row, slab.start + a * block.n_levels + block.codes] = block.z[:, a]
        self.stacked = np.zeros((problem.n + q, q + problem.p + 1), order="F")
        self.stacked[: problem.n, q:-1], self.stacked[: problem.n, -1] = problem.basis.q, problem.basis.residual
        self.stacked[problem.n + np.arange(q), np.arange(q)] = 1.0

    def evaluate(self, theta: np.ndarray) -> DensePoint:
        """See `DenseCriterion.evaluate`."""
        problem, q, n = self.problem, self.layout.q, self.problem.n
        lams = self.layout.lams(theta)
        stacked = self.stacked.copy(order="F")
        stacked[:n, :q] = self._times_factor_t(lams, self.z.T).T
        sizes = np.linalg.norm(stacked, axis=0)
        if not np.isfinite(sizes).all():
            raise NotPositiveDefiniteError("The penalised system is not finite.")
        basis, root = qr(stacked, mode="economic", overwrite_a=True, check_finite=False)
        sign = np.where(np.diagonal(root) < 0, -1.0, 1.0)
        basis, root = basis * sign, root * sign[:, None]
        diagonal = np.diagonal(root)
        if not (diagonal > 0).all():
            raise NotPositiveDefiniteError("The residual sum of squares is not positive at this theta.")
        logs = 2.0 * np.log(diagonal)
        pwrss = float(diagonal[-1]) ** 2
        value = criterion_value(problem, float(logs[:q].sum()), float(logs[q:-1].sum()), pwrss, self.reml)
        solved = basis[:n].T @ self.z
        return DensePoint(value, pwrss, lams, root.T, sizes**2, basis, solved)

    def losses(self, point: DensePoint) -> np.ndarray:
        """Lengths of the columns over what elimination leaves of them: roots of the losses of `dense`."""
        return np.sqrt(super().losses(point))

    def needs_digits(self, point: DensePoint) -> bool:
        """Nothing more can be done."""
        return False

    def differentiate(self, point: DensePoint, exact: bool) -> Derivatives:
        """Gradient and exact Hessian.

        Products with Lambda are taken of what is left of [Z Lambda; 0], which is that of [0; -I]: where Lambda is large
        they are not to be had from Z'P_0 Z.
        """
        layout, q, n = self.layout, self.layout.q, self.problem.n
        df = self.problem.degrees(self.reml)
        scale = df / point.pwrss
        assert point.solved is not None
        zeta = point.solved[-1] * np.sqrt(point.pwrss)
        spherical = self._times_factor_t(point.lams, zeta[:, None])[:, 0]
        left = self._left(point.left, np.vstack([self.z, np.zeros((q, q))]))
        scaled = -self._left(point.left, np.vstack([np.zeros((n, q)), np.eye(q)]))
        places = [
            (self._effect(b, r), self._effect(b, c))
            for b, r, c in zip(layout.block, layout.row, layout.col, strict=True)
        ]
        moved = np.column_stack([left[:, r] @ spherical[c] + scaled[:, c] @ zeta[r] for r, c in places])
        information = scale * (moved.T @ moved)
        score = 2.0 * scale * np.array([zeta[r] @ spherical[c] for r, c in places])
        if not self.reml:
            fixed = point.solved[q:-1]
            left = np.vstack([left, fixed])
            scaled = np.vstack([scaled, self._times_factor_t(point.lams, fixed.T).T])
        plain, mixed, inner = left.T @ left, left.T @ scaled, scaled.T @ scaled
        gradient = np.array([2.0 * (np.trace(mixed[r, c]) - scale * (zeta[r] @ spherical[c])) for r, c in places])
        hessian = 2.0 * information - score[:, None] * (score / df)
        for i, (r, c) in enumerate(places):
            for j, (s, d) in enumerate(places[: i + 1]):
                value = -2.0 * (np.vdot(plain[r, s], inner[c, d]) + np.vdot(mixed[r, d], mixed[s, c].T))
                if c == d:
                    value += 2.0 * (np.trace(plain[r, s]) - scale * (zeta[r] @ zeta[s]))
                hessian[i, j] += value
                hessian[j, i] = hessian[i, j]
        return Derivatives(gradient, hessian, "exact", np.ones(hessian.shape, dtype=bool))

    def _effect(self, b: int, effect: int) -> slice:
        """All levels of one effect of block b."""
        levels = self.layout.n_levels[b]
        start = self.slabs[b].start + effect * levels
        return slice(start, start + levels)

    def _left(self, basis: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Take the random effects and the columns of Q out of `columns`, by Gram-Schmidt done twice."""
        for _ in range(2):
            columns = columns - basis[:, :-1] @ (basis[:, :-1].T @ columns)
        return columns
