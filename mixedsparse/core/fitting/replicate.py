"""Fits of many responses to one design, all from the same start."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.batch.accuracy import LOST, batch_at
from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.newton.batched import minimise
from mixedsparse.core.newton.boundary import ZERO
from mixedsparse.core.problem.edits import with_sums
from mixedsparse.core.problem.narrowed import narrowed
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Refits", "Refitter"]

# A start at a variance of 0 would be stationary: pivots of the start are kept above this.
_OFF_ZERO = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Refits:
    """Estimates from B responses; NaN where the search failed, for the reason in `failures`.

    Attributes
    ----------
    gamma : ndarray, shape (B, p)
        Coefficients of Q on the residuals.
    covariances : list of ndarray (B, k, k)
        Of the random effects, one per term, the user's basis.
    sigma : ndarray, shape (B,)
    criterion : ndarray, shape (B,)
        REML criterion or -2 log-likelihood.
    failures : dict replicate -> str
    """

    gamma: np.ndarray
    covariances: list[np.ndarray]
    sigma: np.ndarray
    criterion: np.ndarray
    failures: dict[int, str]


class Refitter:
    """Fits responses to the design of `engine`, from the optimum `fit`."""

    def __init__(self, engine: Engine, fit: Fit) -> None:
        self.narrow = narrowed(engine.problem, engine.limits.narrowed)
        engine = engine if self.narrow is None else engine.with_problem(self.narrow.problem)
        self.engine, self.fit, self.problem = engine, fit, engine.problem
        # Where problems in step lose digits each response is searched alone, which states its noise.
        unit = float(np.sqrt(fit.sigma2))
        self.batch: Batch | None = None
        # Searches in step know triangles only, and hold matrices of the size of X'X for each problem.
        if not engine.problem.is_structured and self.narrow is None:
            self.batch, self.error = batch_at(engine, fit.templates, unit, fit.criterion, fit.reml)

    @property
    def together(self) -> bool:
        """Whether many responses are fitted in step, which is quickest for small designs."""
        return self.batch is not None and self.batch.together and self.error <= LOST

    def __call__(self, responses: Responses) -> Refits:
        """Fit all of `responses`."""
        problem, count = self.problem, len(responses.yy)
        out = Refits(
            gamma=np.full((count, problem.p), np.nan),
            covariances=[np.full((count, k, k), np.nan) for k in problem.theta_layout.widths],
            sigma=np.full(count, np.nan),
            criterion=np.full(count, np.nan),
            failures={},
        )
        left = self._in_step(responses, out) if self.together else range(count)
        for i in left:
            self._alone(responses, int(i), out)
        return out if self.narrow is None else replace(out, gamma=out.gamma @ self.narrow.rotation.T)

    def _in_step(self, responses: Responses, out: Refits) -> np.ndarray:
        """Fit in step; returns the problems that did not converge."""
        assert self.batch is not None
        problem, count = self.problem, len(out.sigma)
        unit = float(np.sqrt(self.fit.sigma2))
        chart = plain_chart(problem)
        criterion = JointCriterion(self.batch, [chart] * count, responses, unit, self.fit.reml)
        start = chart.coordinates(self.fit.templates)
        diagonal = np.append(problem.layout.is_diagonal, [False, False])
        start = np.where(diagonal, np.maximum(start, _OFF_ZERO), start)
        x = np.tile(start, (count, 1))
        held = np.zeros(x.shape, dtype=bool)
        held[:, -1] = True
        solved = minimise(criterion, x, held, np.full(x.shape, -np.inf))
        done = np.flatnonzero(solved.converged)
        x = np.where(diagonal & (np.abs(solved.x[done]) < ZERO), 0.0, solved.x[done])
        out.gamma[done] = solved.point.gamma[done]
        out.sigma[done] = unit * np.exp(x[:, -2])
        out.criterion[done] = solved.point.value[done]
        for mine, cov in zip(out.covariances, criterion.covariances(x, done), strict=True):
            mine[done] = cov
        return np.flatnonzero(~solved.converged)

    def _alone(self, responses: Responses, i: int, out: Refits) -> None:
        """Fit one response by the search that fits models."""
        changed = with_sums(self.problem, [z[i] for z in responses.Zy], float(responses.yy[i]))
        try:
            fit = fit_problem(self.engine.with_problem(changed), self.fit.reml, start=self.fit.theta)
        except NotPositiveDefiniteError as err:
            out.failures[i] = str(err)
            return
        if not fit.certificate.converged:
            out.failures[i] = fit.certificate.message
            return
        out.gamma[i], out.sigma[i], out.criterion[i] = fit.search.pls.gamma, np.sqrt(fit.sigma2), fit.criterion
        for mine, lam in zip(out.covariances, fit.templates, strict=True):
            mine[i] = fit.sigma2 * (lam @ lam.T)
