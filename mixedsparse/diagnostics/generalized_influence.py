"""Leverage of rows, and estimates without groups of rows, of generalized models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.diagnostics.influence import Influence, distances, units, warn_of_absent
from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.fitted.generalized_objective import laplace_data
from mixedsparse.ground.errors import MixedSparseError
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.inference.generalized.deletions import fit_without
from mixedsparse.inference.generalized.refits import engine_of
from mixedsparse.inference.labels import per_row
from mixedsparse.inference.parameters import parameters
from mixedsparse.inference.replicates import estimates_of

if TYPE_CHECKING:
    pass

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
    fitted.needs("factor", "Leverage, and what rests on it,", "residuals('quantile') is there")
    fit, model = fitted.fit, fitted.model
    assert fit.point is not None
    data = laplace_data(model, engine_of(model))
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
    fitted.needs("factor", "Influence")
    name, labels, codes = units(fitted, group)
    count, p, known = len(labels), fitted.problem.p, parameters(fitted)
    beta, covariance = np.full((count, p), np.nan), np.full((count, p, p), np.nan)
    every, failures = np.full((count, len(known)), np.nan), {}
    with counter(progress, "influence") as tell:
        for i in range(count):
            try:
                other = fit_without(fitted, codes == i)
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
