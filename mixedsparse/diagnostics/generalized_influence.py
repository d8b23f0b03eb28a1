"""Leverage of rows, and estimates without groups of rows, of generalized models."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.fitting.laplace import fit_generalized, make_data
from mixedsparse.core.problem.edits import on_rows
from mixedsparse.diagnostics.influence import Influence, distances, units, warn_of_absent
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.ground.errors import MixedSparseError, MixedSparseWarning
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.inference.generalized.refits import engine_of
from mixedsparse.inference.labels import per_row
from mixedsparse.inference.parameters import parameters
from mixedsparse.inference.refit import root_of
from mixedsparse.inference.replicates import estimates_of

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["generalized_cooks_distance", "generalized_influence", "generalized_leverage"]


def generalized_leverage(fitted: GeneralizedFitted) -> pd.Series:
    """Diagonal of the hat matrix at the mode; see `GeneralizedResults.leverage`."""
    return per_row(fitted, fitted.once("leverage", _leverages), "leverage")


def generalized_cooks_distance(fitted: GeneralizedFitted) -> pd.Series:
    """Cook's distance of each row from its leverage; see `GeneralizedResults.cooks_distance`."""
    h, p = fitted.once("leverage", _leverages), fitted.problem.p
    residual = fitted.scaled_residuals
    size = np.square(residual / (1.0 - h)) * h / p if p else np.full(len(h), np.nan)
    return per_row(fitted, size, "cooks_distance")


def _leverages(fitted: GeneralizedFitted) -> np.ndarray:
    """w_i (v_i + x_i'(X'V_0^-1 X)^-1 x_i), v_i the conditional variance of eta_i, x_i the row less what Z explains."""
    fitted.needs_optimum("Leverage")
    fit, model = fitted.fit, fitted.model
    assert fit.point is not None
    data = make_data(engine_of(model), model.family, model.response, model.prior, model.design.offset)
    w = data.rows(fit.eta, fitted.psi).w
    factor = fit.point.mode.factor
    variances = data.quadratic_forms(*factor.pattern_covariances())
    if not data.p:
        return np.asarray(w * variances)
    weighted = data.Q * w[:, None]
    sums = data.sums(weighted)
    modes, _ = factor.solve(sums)
    explained = np.column_stack([data.spread([own[:, :, j] for own in modes]) for j in range(data.p)])
    left = data.Q - explained
    information = data.Q.T @ weighted - weighted.T @ explained
    return np.asarray(w * (variances + np.einsum("ij,ij->i", left, np.linalg.solve(information, left.T).T)))


def generalized_influence(fitted: GeneralizedFitted, group: Any = None, progress: CountOption = None) -> Influence:
    """Delete rows or groups of rows in turn; see `GeneralizedResults.influence`."""
    fitted.needs_optimum("Influence")
    name, labels, codes = units(fitted, group)
    count, p, known = len(labels), fitted.problem.p, parameters(fitted)
    beta, covariance = np.full((count, p), np.nan), np.full((count, p, p), np.nan)
    every, failures = np.full((count, len(known)), np.nan), {}
    with counter(progress, "influence") as tell:
        for i in range(count):
            try:
                other = _without(fitted, codes == i)
            except MixedSparseError as err:
                failures[i] = str(err)
            else:
                if other.converged:
                    _enter(fitted, other, beta, covariance, every, i)
                else:
                    failures[i] = other.message
            tell(i + 1, count)
    moved = fitted.fit.beta - beta
    cooks, covratio = distances(fitted.cov_beta, moved, covariance)
    rows = np.bincount(codes, minlength=count)
    table = pd.DataFrame({"rows": rows, "cooks_distance": cooks, "covratio": covratio}, index=labels)
    if fitted.family.has_dispersion:
        table["dispersion"] = every[:, -1]
    out = Influence(
        table=table,
        params=pd.DataFrame(beta, index=labels, columns=fitted.x_names),
        dfbetas=pd.DataFrame(
            moved / np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), index=labels, columns=fitted.x_names
        ),
        parameters=pd.DataFrame(every, index=labels, columns=[one.name for one in known]),
        failures=pd.Series(failures, dtype=object, name="reason").set_axis(labels[list(failures)]),
        group=name,
        theta="refit",
    )
    warn_of_absent(out, labels)
    return out


def _without(fitted: GeneralizedFitted, gone: np.ndarray) -> GeneralizedFitted:
    """Fit the other rows, from the optimum of all."""
    fit = fitted.fit
    model = GeneralizedModel(_fewer_rows(fitted.design, np.flatnonzero(~gone)), fitted.family)
    problem = model.problem
    # Terms may have changed places: theta comes by numbers of levels.
    positions = [fitted.problem.order.index(i) for i in range(len(fitted.design.terms))]
    covariances = [fit.templates[at] @ fit.templates[at].T for at in positions]
    templates = [root_of(covariances[i], T) for i, T in zip(problem.order, problem.layout.whiten, strict=True)]
    known = dict(zip(fitted.x_names, fit.beta, strict=True))
    beta = np.array([known.get(name, 0.0) for name in _names(model)])
    psi = [fit.psi] if fit.has_dispersion else []
    start = np.concatenate([problem.theta_layout.flatten(templates), beta, psi])
    arguments = model.family, model.response, model.prior, model.design.offset
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedSparseWarning)
        found = fit_generalized(model.engine(), *arguments, nodes=fit.nodes, start=start)
    return GeneralizedFitted(model, found)


def _names(model: GeneralizedModel) -> list[str]:
    return [model.design.x_names[i] for i in model.problem.basis.kept]


def _fewer_rows(design: Design, at: np.ndarray) -> Design:
    def some(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[at]

    return replace(
        design,
        y=design.y[at],
        X=design.X[at],
        terms=tuple(on_rows(term, at) for term in design.terms),
        weights=some(design.weights),
        offset=some(design.offset),
        trials=some(design.trials),
        index=design.index[at],
        encoding=None,
        source=None,
    )


def _enter(
    fitted: GeneralizedFitted,
    other: GeneralizedFitted,
    beta: np.ndarray,
    covariance: np.ndarray,
    every: np.ndarray,
    i: int,
) -> None:
    """Put the estimates without some rows where the parameters of the whole fit stand."""
    places = [fitted.x_names.index(name) for name in other.x_names if name in fitted.x_names]
    inside = [j for j, name in enumerate(other.x_names) if name in fitted.x_names]
    beta[i, places] = other.fit.beta[inside]
    covariance[np.ix_([i], places, places)] = other.cov_beta[np.ix_(inside, inside)][None]
    values = dict(zip([one.name for one in parameters(other)], estimates_of(other), strict=True))
    every[i] = [values.get(one.name, np.nan) for one in parameters(fitted)]
