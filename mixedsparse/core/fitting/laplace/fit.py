"""Fit a generalized linear mixed model: verdicts first, then the search, then standard errors."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.fitting.laplace.advice import group_names, hints_of
from mixedsparse.core.fitting.laplace.errors import Covariances, is_flat_in_dispersion
from mixedsparse.core.fitting.laplace.result import GeneralizedFit, Pieces
from mixedsparse.core.fitting.laplace.search import Found
from mixedsparse.core.fitting.laplace.separation import (
    constant_levels,
    is_constant,
    is_constant_effect,
    separation,
    single_trials,
)
from mixedsparse.core.fitting.laplace.start import PlainFit, first_vector, plain_fit
from mixedsparse.core.fitting.laplace.verdict import (
    GeneralizedCertificate,
    certify_generalized,
    not_estimable,
    one_outcome,
    runaway,
    separated,
)
from mixedsparse.core.fitting.laplace.ways import ByProbes, Exact
from mixedsparse.core.likelihood.family import Family
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.laplace.collapse import collapsed
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion, solved
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.core.likelihood.laplace.fast import FastCriterion
from mixedsparse.core.likelihood.laplace.quadrature import MOST_EFFECTS, QuadratureCriterion, takes_quadrature
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.ground.options import FitOptions
from mixedsparse.ground.progress import Progress

__all__ = ["fit_data", "fit_generalized", "make_criterion", "make_data"]

# Linear predictors of a fit without random effects, and shares of its first information, that may mean separation.
_FAR = 8.0
_FADED = 1e-4


def make_data(
    engine: Engine,
    family: Family,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    offset: np.ndarray | None = None,
) -> Data:
    """Put a response on the design of `engine`'s problem; refuse what the family cannot have.

    Parameters
    ----------
    engine : Engine
        Of a problem that was made without weights; its response is not used.
    family : Family
    y : ndarray, shape (n,)
        Response; the proportion of successes for a binomial family.
    weights : ndarray, shape (n,), optional
        Trials for a binomial family, prior weights for the others; ones when not given.
    offset : ndarray, shape (n,), optional
    """
    n = engine.problem.n
    m = np.ones(n) if weights is None else np.asarray(weights, dtype=float)
    y, offset = np.asarray(y, dtype=float), np.zeros(n) if offset is None else np.asarray(offset, dtype=float)
    if not ((m > 0) & np.isfinite(m)).all():
        raise DataError("Weights, or trials, must be positive.")
    family.check(y, m)
    return Data(engine.problem, engine, family, y, m, offset)


def fit_generalized(
    engine: Engine,
    family: Family,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    **how: Any,
) -> GeneralizedFit:
    """Fit arrays: ``fit_data(make_data(engine, family, y, weights, offset), **how)``."""
    return fit_data(make_data(engine, family, y, weights, offset), **how)


def fit_data(
    data: Data,
    *,
    nodes: int = 1,
    start: np.ndarray | None = None,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    errors: bool = True,
) -> GeneralizedFit:
    """Maximise the likelihood of a generalized linear mixed model.

    Parameters
    ----------
    data : Data
        See `make_data`.
    nodes : int
        Of the quadrature, per effect; 1 for Laplace's approximation; 0 for coefficients by penalised least squares,
        which is fast and approximate.
    start : ndarray, shape (m + p + 1 or m + p,), optional
        Theta, beta and, where the family has one, psi to start from, as in `GeneralizedFit`.
    options : FitOptions, optional
        `max_evals` and `tolerance` are used.
    progress : callable, optional
        Called with an `Iteration` after each accepted step.
    errors : bool
        Whether the joint covariance is computed too.

    Raises
    ------
    DataError
        The family cannot have these responses, or they are all the same.
    NotPositiveDefiniteError
        The likelihood has no value anywhere near the start.
    """
    began = time.perf_counter()
    options = FitOptions() if options is None else options
    if is_constant(data):
        raise DataError(
            f"All {data.problem.n:,} responses are {data.y[0]:g}: a constant response leaves nothing to estimate."
        )
    constant = constant_levels(data)
    if constant:
        return _without_optimum(data, not_estimable(group_names(data.problem, constant)), began)
    alone = [b for b in single_trials(data) if is_constant_effect(data, b)]
    if alone:
        return _without_optimum(data, one_outcome(group_names(data.problem, alone)), began)
    if (stochastic := data.engine.stochastic) is not None:
        data = data.on(stochastic.renewed(options.seed))
    fewer = collapsed(data)
    used = data if fewer is None else fewer[0]
    vector, suspect = _start(used, start)
    # Coefficients that grow without limit inside each evaluation would not show in the search of theta alone.
    apart = separation(data) if suspect or nodes == 0 else None
    way = Exact(_criterion(used, nodes), options) if stochastic is None else ByProbes(used, options)
    found = None
    if apart is None:
        found = way.search(vector, progress, not suspect)
        if found.faded:
            apart = separation(data)
            if apart is None:
                found = way.search(found.point.vector, progress, False)
    if apart is not None or found is None:
        assert apart is not None
        return _without_optimum(data, separated(apart), began)
    if start is None and not len(found.runaway):
        found = way.search_again(found, vector)
    if len(found.runaway):
        return _without_optimum(data, runaway(group_names(data.problem, found.runaway.tolist())), began)
    flat = is_flat_in_dispersion(way.criterion, found.curvature)
    eta = found.point.mode.eta if fewer is None else found.point.mode.eta[fewer[1]]
    certificate = certify_generalized(data, found, eta, hints_of(data, nodes), flat)
    known = way.covariances(found) if errors and nodes > 0 else None
    if known is None:
        known = Covariances(None, solved(found.curvature.information, np.eye(data.p)), found.curvature.hessian)
    found, logdet, monte_carlo = way.ended(found)
    fit = _report(used, found, known, certificate, began, nodes)
    fit = replace(fit, pieces=fit.pieces._replace(logdet=logdet), monte_carlo=monte_carlo)
    return fit if fewer is None else replace(fit, eta=fit.eta[fewer[1]], saturated=-2.0 * data.constant)


def make_criterion(data: Data, nodes: int) -> LaplaceCriterion:
    """Criterion by a number of nodes, of the fewest rows that say the same as those of `data`."""
    fewer = collapsed(data)
    return _criterion(data if fewer is None else fewer[0], nodes)


def _criterion(data: Data, nodes: int) -> LaplaceCriterion:
    """Criterion by a number of nodes."""
    if nodes == 0:
        return FastCriterion(data)
    if nodes == 1:
        return LaplaceCriterion(data)
    if not takes_quadrature(data):
        raise OptionError(
            f"Quadrature with {nodes} nodes needs one grouping factor with up to {MOST_EFFECTS} effects per level: "
            "use nAGQ=1."
        )
    return QuadratureCriterion(data, nodes)


def _start(data: Data, start: np.ndarray | None) -> tuple[np.ndarray, bool]:
    """Whitened parameters to start from, and whether the fixed part may separate the responses."""
    problem = data.problem
    if start is not None:
        m, p = problem.n_theta, data.p
        parts = [problem.layout.to_block @ start[:m], data.root @ start[m : m + p], start[m + p :]]
        return np.concatenate(parts), False
    plain: PlainFit = plain_fit(data)
    far = float(np.abs(plain.eta - data.offset).max())
    suspect = plain.weakest < _FADED or (data.family.name == "binomial" and far > _FAR)
    return first_vector(data, plain), suspect


def _report(
    data: Data, found: Found, known: Covariances, certificate: GeneralizedCertificate, began: float, nodes: int
) -> GeneralizedFit:
    """Put the end of the search into the user's units."""
    problem, point = data.problem, found.point
    theta = problem.from_block @ point.parameters.theta
    theta[np.abs(theta) < 1e-15 * np.abs(theta).max(initial=0.0)] = 0.0
    has_psi = data.family.has_dispersion
    takes_psi = has_psi or data.family.dispersion is not None
    m, p = problem.n_theta, data.p
    away = np.eye(m + p + int(has_psi))
    away[:m, :m] = problem.from_block
    back = away[m : m + p, m : m + p]
    back[:] = np.linalg.inv(data.root) if p else back
    held = np.zeros(0, dtype=bool) if known.joint is None else np.isnan(np.diagonal(known.joint))
    covariance = None
    if known.joint is not None:
        covariance = away @ np.where(np.isnan(known.joint), 0.0, known.joint) @ away.T
        covariance[held, :] = covariance[:, held] = np.nan
    mode = point.mode
    return GeneralizedFit(
        family=data.family,
        nodes=nodes,
        theta=theta,
        templates=tuple(problem.theta_layout.templates(theta)),
        beta=data.beta(point.parameters.gamma),
        psi=point.parameters.psi if takes_psi else float("nan"),
        modes=_users_modes(problem, mode.b),
        eta=mode.eta,
        covariance=covariance,
        conditional=back @ known.conditional @ back.T,
        criterion=point.criterion,
        saturated=float("nan") if takes_psi else -2.0 * data.constant,
        pieces=Pieces(mode.h - mode.penalty - 2.0 * data.constant, mode.penalty, mode.logdet),
        certificate=certificate,
        evaluations=found.nfev,
        factorisations=found.factorisations,
        seconds=time.perf_counter() - began,
        path=found.path,
        data=data,
        point=replace(point, mode=mode.kept(point.parameters.psi)),
    )


def _users_modes(problem: Problem, modes: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Conditional modes of each term in the user's basis, theta order."""
    layout, out = problem.layout, []
    for term, b, start, whiten in zip(problem.terms, layout.term_block, layout.term_start, layout.whiten, strict=True):
        own = modes[b][:, start : start + term.k]
        out.append(lapack.dtrtrs(whiten, own.T, lower=1)[0].T)
    return tuple(out)


def _without_optimum(data: Data, certificate: GeneralizedCertificate, began: float) -> GeneralizedFit:
    """Return a fit that has a verdict, and no numbers."""
    problem, nan = data.problem, float("nan")
    theta = np.full(problem.n_theta, nan)
    return GeneralizedFit(
        family=data.family,
        nodes=1,
        theta=theta,
        templates=tuple(problem.theta_layout.templates(theta)),
        beta=np.full(data.p, nan),
        psi=nan,
        modes=tuple(np.full((term.n_levels, term.k), nan) for term in problem.terms),
        eta=np.full(problem.n, nan),
        covariance=None,
        conditional=np.full((data.p, data.p), nan),
        criterion=nan,
        saturated=nan,
        pieces=Pieces(nan, nan, nan),
        certificate=certificate,
        evaluations=0,
        factorisations=0,
        seconds=time.perf_counter() - began,
        path=(),
        data=data,
        point=None,
    )
