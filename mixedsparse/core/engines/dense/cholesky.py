"""The criterion and its derivatives for a few dozen random effects, by dense algebra on all of them at once.

With the bordered matrix and its Cholesky factor

    [M, Lambda'Z'(Q r); (Q r)'Z Lambda, (Q r)'(Q r)] = L L',    Y = L^-1 [Lambda'Z'Z; (Q r)'Z],

the diagonal of L holds log|M|, log|Q'V_0^-1 Q| and the root of r^2, the last row of Y is zeta' over that root, and
Z'P_0 Z = Z'Z - Y'Y without the last row (P_0 = V_0^-1 - V_0^-1 Q K Q'V_0^-1): one factorisation and one triangular
solve serve the criterion, its gradient and its exact Hessian (notation of `derivatives` and `exact`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from mixedsparse.core.likelihood.criterion import ENOUGH
from mixedsparse.core.likelihood.derivatives import Derivatives, InEntries, in_theta
from mixedsparse.core.likelihood.interface import Engine, Written
from mixedsparse.core.likelihood.pls import Pls, criterion_value, rounding
from mixedsparse.core.likelihood.traces import contract
from mixedsparse.core.problem.entries import times_units_of
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.whole import slabs_of, whole
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["DenseCriterion", "DensePoint", "is_small"]


def is_small(engine: Engine) -> bool:
    """Whether the dense form should stand in for `engine` during the search."""
    problem = engine.problem
    limit = engine.limits.dense if len(problem.layout.widths) == 1 else engine.limits.dense_crossed
    return engine.yields_to_dense and not problem.coupled and problem.layout.q + problem.p <= limit


@dataclass(slots=True, eq=False)
class DensePoint:
    """The criterion at one theta.

    Attributes
    ----------
    criterion, pwrss : float
    lams : list of ndarray (K, K)
        Lambda of each block.
    root : ndarray
        L, column-major, lower triangle.
    sizes : ndarray, shape (q + p + 1,)
        Diagonal entries of the bordered matrix.
    left : ndarray
        Lambda'Z'[Z Q r], or whatever else derivatives start from.
    solved : ndarray or None
        Y, once it is needed.
    """

    criterion: float
    pwrss: float
    lams: list[np.ndarray]
    root: np.ndarray
    sizes: np.ndarray
    left: np.ndarray
    solved: np.ndarray | None = None


class DenseCriterion:
    """REML criterion or -2 log-likelihood of the problem of `engine`, as the search needs it."""

    def __init__(self, engine: Engine, reml: bool) -> None:
        self.engine, self.reml = engine, reml
        self.problem: Problem = engine.problem
        layout = self.layout = self.problem.layout
        self.slabs = slabs_of(layout)
        self.starts = {b: slab.start for b, slab in enumerate(self.slabs)}
        self.cross = whole(self.problem)

    def evaluate(self, theta: np.ndarray) -> DensePoint:
        """Criterion at theta (m,) of the whitened bases.

        Raises
        ------
        NotPositiveDefiniteError
            The bordered matrix is not positive definite at this theta.
        """
        problem, q, p = self.problem, self.layout.q, self.problem.p
        lams = self.layout.lams(theta)
        left = self._times_factor_t(lams, self.cross[:q])
        bordered = self.cross.copy()
        bordered[:q, :q] = self._times_factor_t(lams, left[:, :q].T)
        bordered[:q, q:] = left[:, q:]
        bordered.reshape(-1)[: q * len(bordered) : len(bordered) + 1] += 1.0
        sizes = bordered.diagonal().copy()
        # The upper triangle of a row-major array is the lower one of its column-major transpose: no copy.
        root, info = lapack.dpotrf(bordered.T, lower=1, overwrite_a=1, clean=0)
        if info != 0:
            raise NotPositiveDefiniteError(f"LAPACK potrf stopped at row {info} of {len(root)}.")
        diagonal = root.diagonal()
        logs = 2.0 * np.log(diagonal)
        logdet, log_det_x, pwrss = float(logs[:q].sum()), float(logs[q : q + p].sum()), float(diagonal[-1]) ** 2
        if not np.isfinite(logdet):
            raise NotPositiveDefiniteError("The log-determinant of the penalised system is not finite.")
        value = criterion_value(problem, logdet, log_det_x, pwrss, self.reml)
        return DensePoint(value, pwrss, lams, root, sizes, left)

    def noise(self, point: DensePoint) -> float:
        """Estimate the rounding error of the criterion at an evaluated point."""
        q, losses = self.layout.q, self.losses(point)
        return rounding(self.problem, float(losses[:q].sum()), losses[q:], self.reml)

    def losses(self, point: DensePoint) -> np.ndarray:
        """Diagonal entries of the bordered matrix over what elimination leaves of them, (q + p + 1,)."""
        return np.asarray(point.sizes / point.root.diagonal() ** 2)

    def differentiate(self, point: DensePoint, exact: bool) -> Derivatives:
        """Gradient, and exact Hessian or average information plus curvature."""
        layout, q, p = self.layout, self.layout.q, self.problem.p
        df = self.problem.degrees(self.reml)
        scale = df / point.pwrss
        solved = self._solved(point)
        zeta = solved[-1] * np.sqrt(point.pwrss)
        projected = self.cross[:q, :q] - solved[:-1].T @ solved[:-1]
        moved = np.zeros((len(layout.block), q))
        slopes, scores = [], []
        traced = projected if self.reml or not p else projected + solved[q:-1].T @ solved[q:-1]
        for b, lam in enumerate(point.lams):
            own = zeta[self.slabs[b]].reshape(len(lam), -1)
            blocks = traced[self.slabs[b], self.slabs[b]].reshape(*own.shape, *own.shape)
            scores.append(np.einsum("alcl->ac", blocks) - scale * (own @ own.T))
            slopes.append(scores[-1] @ lam)
            mine = layout.members[b]
            moved[mine, self.slabs[b]] = times_units_of(layout, b, own).reshape(len(mine), -1)
        curve = scale * (moved @ projected @ moved.T)
        if exact:
            curve = 2.0 * curve - contract(Written(traced, self.starts), layout, self.engine.limits.copied)
        rise = scale * (moved @ zeta)
        curve -= rise[:, None] * (rise / df)
        hessian = in_theta(layout, point.lams, curve, scores)
        kind, known = ("exact", np.ones(hessian.shape, dtype=bool)) if exact else ("average information", None)
        return Derivatives(2.0 * layout.gather(slopes), hessian, kind, known, InEntries(curve, scores))

    def along(self, point: DensePoint, exact: bool, moves: np.ndarray) -> None:
        """All second derivatives cost no more."""

    def needs_digits(self, point: DensePoint) -> bool:
        """Whether so many digits are lost at the point that derivatives suffer too."""
        return not self.noise(point) <= ENOUGH

    def gradient(self, point: DensePoint) -> np.ndarray:
        """Exact gradient (m,)."""
        return self.differentiate(point, exact=False).gradient

    def pls(self, point: DensePoint) -> Pls:
        """Penalised least squares at an evaluated point; M itself is factorised when something asks for it."""
        layout, q, p = self.layout, self.layout.q, self.problem.p
        solved, root = self._solved(point), point.root
        root_x = root[q:-1, q:-1]
        inverse = lapack.dtrtri(root_x, lower=1)[0] if p else np.empty((0, 0))
        inverse = np.tril(inverse)
        gamma = inverse.T @ root[-1, q:-1]
        spherical, _ = lapack.dtrtrs(root[:q, :q], root[-1, :q] - gamma @ root[q:-1, :q], lower=1, trans=1)
        cross_x = (np.tril(root_x) @ solved[q:-1]).T
        zeta = solved[-1] * np.sqrt(point.pwrss)
        shapes = list(zip(self.slabs, layout.widths, layout.n_levels, strict=True))
        return Pls(
            criterion=point.criterion,
            gamma=gamma,
            K=inverse.T @ inverse,
            pwrss=point.pwrss,
            Hx=[cross_x[slab].reshape(k, n, p).swapaxes(0, 1) for slab, k, n in shapes],
            zeta=[zeta[slab].reshape(k, n).T for slab, k, n in shapes],
            modes=[
                (lam @ spherical[slab].reshape(k, n)).T for (slab, k, n), lam in zip(shapes, point.lams, strict=True)
            ],
            lams=point.lams,
            reml=self.reml,
            losses=self.losses(point)[q:],
            engine=self.engine,
        )

    def _solved(self, point: DensePoint) -> np.ndarray:
        """Y = L^-1 [Lambda'Z'Z; (Q r)'Z], shape (q + p + 1, q)."""
        if point.solved is None:
            q = self.layout.q
            right = self.cross[:, :q].copy()
            right[:q] = point.left[:, :q]
            # Row-major again: its transpose is solved from the right, in place.
            point.solved = blas.dtrsm(1.0, point.root, right.T, side=1, lower=1, trans_a=1, overwrite_b=1).T
        return point.solved

    def _times_factor_t(self, lams: list[np.ndarray], matrix: np.ndarray) -> np.ndarray:
        """(Lambda x I)' times the rows of a matrix (q, r)."""
        out = np.empty(matrix.shape)
        for slab, lam in zip(self.slabs, lams, strict=True):
            if len(lam) == 1:
                np.multiply(matrix[slab], lam[0, 0], out=out[slab])
            else:
                inner = (len(lam), (slab.stop - slab.start) // len(lam) * matrix.shape[1])  # may have no columns
                out[slab] = (lam.T @ matrix[slab].reshape(inner)).reshape(out[slab].shape)
        return out
