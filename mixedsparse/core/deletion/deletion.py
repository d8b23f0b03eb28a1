"""Fits without some of the rows: from downdated cross-products, theta from the optimum of the whole.

Deletion of a single row at known theta has a closed form (Christensen, Pearson & Johnson 1992, Technometrics 34,
38-45): with h_i, d_i and e = P_0 y as in `leverage`,

    gamma - gamma_(i) = K d_i e_i / (1 - h_i),  r^2_(i) = r^2 - e_i^2 / (1 - h_i),  K_(i) = K + K d_i d_i'K / (1 - h_i)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mixedsparse.core.deletion.leverage import Hat
from mixedsparse.core.engines.criteria import criterion_at, make_criterion
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.fitting.residual import engine_at
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.rows import perfect_share
from mixedsparse.core.problem.edits import Rows, keeps_digits, rows
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.subtraction import without
from mixedsparse.core.problem.whitened import joined_by
from mixedsparse.core.residual.interface import Residual
from mixedsparse.ground.errors import DataError, NotPositiveDefiniteError

__all__ = ["Deleter", "Deletions", "delete_each"]


@dataclass(frozen=True, slots=True, eq=False)
class Deletions:
    """Estimates without parts of the data; NaN where there is none, for the reason in `failures`.

    Attributes
    ----------
    beta : ndarray, shape (B, p)
        Coefficients of the columns of X that the whole fit keeps; NaN for a column that depends on earlier ones once
        the rows are gone.
    cov_beta : ndarray, shape (B, p, p)
        sigma^2 (X'V_0^-1 X)^-1.
    sigma2 : ndarray, shape (B,)
    templates : list of ndarray (B, k, k)
        Lambda_t of each term, the user's basis.
    failures : dict number -> str
    """

    beta: np.ndarray
    cov_beta: np.ndarray
    sigma2: np.ndarray
    templates: list[np.ndarray]
    failures: dict[int, str]

    @classmethod
    def empty(cls, problem: Problem, count: int) -> Deletions:
        """Make room for `count` deletions, NaN throughout."""
        p = problem.p
        return cls(
            beta=np.full((count, p), np.nan),
            cov_beta=np.full((count, p, p), np.nan),
            sigma2=np.full(count, np.nan),
            templates=[np.full((count, k, k), np.nan) for k in problem.theta_layout.widths],
            failures={},
        )


def delete_each(problem: Problem, fit: Fit, own: Hat) -> Deletions:
    """Delete every row on its own at the theta of `fit`, by the closed form; `own` are the leverages there."""
    pls = fit.search.pls
    n, p, root = problem.n, problem.p, problem.basis.root
    out = Deletions.empty(problem, n)
    left = own.spare
    # In the basis of X: K d_i = root^-1 (K d_i of Q).
    moved = np.linalg.solve(root, pls.K @ own.rows.T).T if p else own.rows
    out.beta[:] = fit.beta - moved * (own.residual / left)[:, None]
    out.sigma2[:] = (pls.pwrss - own.residual**2 / left) / (problem.degrees(fit.reml) - 1)
    cov = problem.basis.covariance(pls.K)
    for a in range(p):
        out.cov_beta[:, a] = out.sigma2[:, None] * (cov[a] + moved[:, a, None] * moved / left[:, None])
    for mine, lam in zip(out.templates, fit.templates, strict=True):
        mine[:] = lam
    for i in np.flatnonzero(np.isnan(left)):
        out.failures[int(i)] = "the fit reproduces this row whatever its response: nothing is known without it."
    return out


class Deleter:
    """Fits without groups of rows.

    Parameters
    ----------
    engine : Engine
        Of the whole problem.
    fit : Fit
        Its optimum.
    data : Rows
        Observations, X of the columns that are kept: for rows without which subtraction would lose digits, or a column.
    refit : bool
        Whether theta is estimated anew, or kept.
    make_engine : callable
        Makes the engine of a problem on another pattern.
    residual : Residual, optional
        Covariance of the residuals of all rows, at the parameters of `fit`: the rows that are left are whitened anew.
    """

    def __init__(
        self,
        engine: Engine,
        fit: Fit,
        data: Rows,
        refit: bool,
        make_engine: Callable[[Problem], Engine],
        residual: Residual | None = None,
    ) -> None:
        self.engine, self.fit, self.refit, self.make_engine = engine, fit, refit, make_engine
        self.data, self.residual = data, residual
        self.needs_rows = residual is not None or _needs_rows(engine, fit)

    def __call__(self, gone: np.ndarray, out: Deletions, i: int) -> None:
        """Fit without the rows `gone` (r,) and put the estimates into place `i` of `out`."""
        problem = None if self.needs_rows else without(self.engine.problem, gone)
        try:
            if problem is not None and keeps_digits(self.engine.problem, problem):
                found = self._estimate(self.engine.with_problem(problem), self.fit.theta)
                order: Sequence[int] = range(len(problem.terms))
            else:
                found, order = self._from_rows(gone)
        except (DataError, NotPositiveDefiniteError) as err:
            out.failures[i] = str(err)
            return
        out.beta[i, found.columns], out.sigma2[i] = found.beta, found.sigma2
        out.cov_beta[i][np.ix_(found.columns, found.columns)] = found.cov_beta
        for t, lam in zip(order, found.templates, strict=True):
            out.templates[t][i] = lam

    def _from_rows(self, gone: np.ndarray) -> tuple[_Found, Sequence[int]]:
        """Estimate from the other rows themselves; also the place of each term among those of the whole."""
        left = np.delete(np.arange(len(self.data.y)), gone)
        if len(left) <= self.data.X.shape[1]:
            raise DataError(f"{len(left)} rows are left, too few for {self.data.X.shape[1]} fixed effects.")
        problem = rows(self.engine.problem, self.data, left)
        theta = problem.theta_layout.flatten([self.fit.templates[t] for t in problem.order])
        if self.residual is None or self.fit.residual is None:
            return self._estimate(self.make_engine(problem), theta), problem.order
        own, phi = self.residual.on_rows(left, self.fit.residual)
        engine = self.make_engine(joined_by(problem, own))
        if self.refit:
            return self._estimate(engine, np.concatenate([theta, phi]), own), problem.order
        return self._estimate(engine_at(engine, own, phi), theta), problem.order

    def _estimate(self, engine: Engine, theta: np.ndarray, residual: Residual | None = None) -> _Found:
        """Fit at, or from, `theta` (m,) in the user's units, parameters of a `residual` that has some behind it."""
        problem, reml, spread = engine.problem, self.fit.reml, 1.0
        if self.refit:
            fit = fit_problem(engine, reml, start=theta, residual=residual)
            if residual is not None and fit.residual is not None:
                spread = float(np.exp(residual.at(fit.residual).logdet / problem.n))
            if not fit.certificate.converged:
                raise NotPositiveDefiniteError(fit.certificate.message)
            found = _Found(problem.basis.kept, fit.beta, fit.cov_beta, fit.sigma2, fit.templates)
        else:
            criterion, point = criterion_at(engine, reml, problem.layout.to_block @ theta)
            pls = criterion.pls(point)
            sigma2 = pls.pwrss / problem.degrees(reml)
            beta, cov = problem.basis.beta(pls.gamma), sigma2 * problem.basis.covariance(pls.K)
            found = _Found(problem.basis.kept, beta, cov, sigma2, problem.theta_layout.templates(theta))
        if found.sigma2 * spread * problem.n <= perfect_share(problem) * float(problem.xy[-1, -1]):
            raise DataError("the model fits the rows that are left perfectly.")
        return replace(found, columns=np.arange(problem.p)) if problem.p == self.engine.problem.p else found


def _needs_rows(engine: Engine, fit: Fit) -> bool:
    """Whether sums over levels lose digits at the optimum of all rows, as they will without some of them."""
    criterion = make_criterion(engine, fit.reml)
    try:
        return criterion.needs_digits(criterion.evaluate(fit.search.theta))
    except NotPositiveDefiniteError:
        return True


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Estimates of one deletion; `columns` says which coefficients of the whole fit are left."""

    columns: np.ndarray
    beta: np.ndarray
    cov_beta: np.ndarray
    sigma2: float
    templates: Sequence[np.ndarray]
