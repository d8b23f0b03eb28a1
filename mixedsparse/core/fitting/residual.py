"""A fit with parameters of the residual covariance: in parameters that suit the search, and back to the user's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixedsparse.core.fitting.certificate import Certificate
from mixedsparse.core.fitting.estimates import Fit, report
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.fitting.residual_start import joint_start
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import solve_pls
from mixedsparse.core.likelihood.residual.family import RowFamily
from mixedsparse.core.problem.chart import chart_of
from mixedsparse.core.problem.edits import with_residual
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.residual.interface import Centred, Residual
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.templates import UnstructuredTemplate
from mixedsparse.core.residual.visits import Visits, too_sparse
from mixedsparse.ground.errors import DataError
from mixedsparse.ground.threads import lapack_threads

# Eigenvalue of the scaled Hessian below which a direction is flat; share of it from which on a parameter has a part.
_FLAT, _PART = 1e-7, 1e-3
# Logarithm of a variance over those of the data up to which it can stand for sigma^2.
_FURTHEST = 300.0
# What a verdict says of flat directions in which random effects have a part, and of others, and what to do.
_SHARED = (
    "the residual covariance and the random effects can share out the variance of the rows in more than one way, or "
    "fixed effects fit all rows of a stratum"
)
_OWN = (
    "the data do not tell parameters of the residual covariance apart, or say nothing of them, as where fixed effects "
    "fit all rows of a stratum, or residual= and dispersion= both have the variances of the visits"
)
_LEAVE_TERMS = "leave out the terms that the residual covariance can stand for, or use one with fewer parameters"
_LEAVE_RESIDUAL = "leave out what dispersion= has too much, or use a residual covariance with fewer parameters"

__all__ = ["engine_at", "engine_of", "fit_residual"]


def fit_residual(engine: Engine, reml: bool, residual: Residual, start: np.ndarray | None, **limits: Any) -> Fit:
    """Minimise the criterion over theta and phi; see `mixedsparse.core.fitting.fit.fit_problem`.

    The fit is that of the rows whitened at the optimum, whose residual variance is sigma^2.
    """
    problem, centred = engine.problem, residual.centred()
    _check_sparse(problem, residual, reml)
    family = RowFamily(problem, residual if centred is None else centred.residual)
    with lapack_threads(engine.work):
        inner = None
        if start is not None:
            theta, phi = start[: problem.n_theta], start[problem.n_theta :]
            inner = problem.layout.to_block @ theta
            if not len(phi):
                inner = np.concatenate([inner, joint_start(engine, family)[problem.n_theta :]])
            else:
                inner = _moved(inner, phi, centred)
        found = search(engine, reml, start=inner, family=family, **limits)
        assert found.residual is not None
        phi = found.residual if centred is None else centred.back @ found.residual
        if centred is not None and abs(float(centred.means @ phi)) > _FURTHEST:
            raise DataError(
                "The dispersion takes sigma^2 where its covariates are 0, which is so far from the data that this "
                "variance leaves the range of numbers: subtract a constant from the covariates."
            )
        moved = engine_at(engine, residual, phi)
        if centred is not None:
            found = _back(found, moved, phi, float(np.exp(0.5 * centred.means @ phi)))
        fit = replace(report(moved, found, reml), residual=phi)
        return replace(fit, certificate=_judged(fit.certificate, found))


def _check_sparse(problem: Problem, residual: Residual, reml: bool) -> None:
    """Refuse a free covariance of visits that too few groups have together: it has no optimum."""
    inner = residual.inner if isinstance(residual, Product) else residual
    if not isinstance(inner, Visits) or not isinstance(inner.template, UnstructuredTemplate):
        return
    found = too_sparse(inner, problem.basis.q, reml)
    if found is not None:
        count, visits = found
        raise DataError(
            f"The likelihood is unbounded: {count} {'group has' if count == 1 else 'groups have'} all of the visits "
            f"{', '.join(visits)}, too few to tell a covariance of {len(visits)} visits. Use a residual covariance "
            "with fewer parameters, as 'toep', 'hetar1' or 'ar1', or leave out visits that few have."
        )


def _judged(certificate: Certificate, found: Search) -> Certificate:
    """Say of an optimum in some direction of which the criterion does not curve that it is not the only one."""
    hessian = found.derivatives.hessian
    if hessian is None or certificate.verdict != "converged":
        return certificate
    assert found.residual is not None
    size = np.sqrt(np.maximum(np.abs(np.diagonal(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian / np.outer(size, size))
    if values[0] > _FLAT:
        return certificate
    shared = np.abs(vectors[: len(hessian) - len(found.residual), values <= _FLAT]).max(initial=0.0) > _PART
    return replace(
        certificate,
        verdict="not identified",
        message=f"Not identified: {_SHARED if shared else _OWN}. The criterion is at its optimum, but other values "
        f"of these parameters have the same: {_LEAVE_TERMS if shared else _LEAVE_RESIDUAL}.",
        unidentified=("residual covariance",),
    )


def engine_at(engine: Engine, residual: Residual, phi: np.ndarray) -> Engine:
    """Engine of the rows whitened at phi (size,), on the pattern of `engine`."""
    return engine.with_problem(with_residual(engine.problem, residual, residual.at(phi)))


def engine_of(fit: Fit) -> Engine:
    """Engine of the rows whitened at the optimum, which the factor of the fit belongs to."""
    pls = fit.search.pls
    engine: Engine | None = pls.engine if pls.made is None else getattr(pls.made, "engine", None)
    assert engine is not None
    return engine


def _moved(theta: np.ndarray, phi: np.ndarray, centred: Centred | None) -> np.ndarray:
    """Theta and phi in the parameters of the search."""
    if centred is None:
        return np.concatenate([theta, phi])
    psi = np.linalg.solve(centred.back, phi)
    return np.concatenate([theta * np.exp(-0.5 * centred.means @ phi), psi])


def _back(found: Search, engine: Engine, phi: np.ndarray, stretch: float) -> Search:
    """Outcome of a search for another unit of R, whose standard deviations over sigma are `stretch` times as large."""
    chart = chart_of(engine.problem)
    theta = stretch * found.theta
    inside = None
    if found.phi is not None and chart is not None:
        scales = [np.array([p.kind == "scale" for p in s.parameters()]) for s in chart.structures]
        inside = tuple(np.where(k, stretch * own, own) for k, own in zip(scales, found.phi, strict=True))
    pls = solve_pls(engine.problem, engine.factorize(engine.problem.layout.lams(theta)), found.pls.reml)
    return replace(found, theta=theta, pls=pls, residual=phi, phi=inside)
