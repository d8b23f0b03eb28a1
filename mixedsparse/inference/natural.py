"""Covariance parameters as users know them: standard deviations, correlations, loadings, with standard errors.

Of the coordinates x of a `Chart` and s = log sigma, before sigma is profiled out of the criterion, the inverse of the
Hessian by blocks gives, with H the Hessian of the profiled criterion and a_i = -d (d log r^2 / dx_i),

    Var(x) = 2 H^-1,    Cov(s, x) = -a'H^-1 / d,    Var(s) = 1 / (2 d) + a'H^-1 a / (2 d^2)

so that every function of them has a standard error to first order (delta method). Unstructured terms have a chart too:
their triangles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.core.problem.chart import Chart
from mixedsparse.core.structures.interface import Natural
from mixedsparse.ground.checks import check_level
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.curvature import charted_curvature
from mixedsparse.inference.residual_moves import joint_covariance, moves_at, scores_of
from mixedsparse.inference.residual_parameters import residual_params

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["NaturalTable", "covariance_table", "natural_errors"]

Row = tuple[str, str, str, float, float, float, float]
_COLUMNS = ["term", "structure", "parameter", "estimate", "se", "lower", "upper"]
# Eigenvalues of the scaled Hessian below this share of the largest are flat: what moves along them has no error.
_FLAT = 1e-9
# Share of a parameter's slope that may lie in flat directions.
_LOOSE = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class NaturalTable:
    """Quantities of all terms, in theta order, then sigma.

    Attributes
    ----------
    term : ndarray of int, shape (r,)
        Position of the term in theta order; -1 for sigma.
    what : tuple of Natural
        Of each term; sigma is the last.
    estimate, se : ndarray, shape (r,)
        In the units of the response, correlations without; standard errors are NaN on the boundary and for what is not
        identified.
    """

    term: np.ndarray
    what: tuple[Natural, ...]
    estimate: np.ndarray
    se: np.ndarray

    def limits(self, level: float) -> np.ndarray:
        """Wald limits (r, 2): of deviations on the log scale, of correlations on Fisher's, of loadings as they are."""
        half = float(ndtri(0.5 + 0.5 * level))
        out = np.full((len(self.se), 2), np.nan)
        for i, (natural, value, se) in enumerate(zip(self.what, self.estimate, self.se, strict=True)):
            sides = half * se * np.array([-1.0, 1.0])
            if natural.kind == "sd" and value > 0:
                with np.errstate(over="ignore"):
                    out[i] = value * np.exp(sides / value)
            elif natural.kind == "cor" and abs(value) < 1:
                out[i] = np.tanh(np.arctanh(value) + sides / (1.0 - value**2))
            elif natural.kind == "loading":
                out[i] = value + sides
        return out


def covariance_table(fitted: Fitted, level: float = 0.95) -> pd.DataFrame:
    """Table of the covariance parameters; see `MixedResults.covariance_parameters`."""
    check_level(level)
    if fitted.fit.residual is not None and not fitted.problem.terms:
        return _with_residual([], fitted, level)
    table = natural_errors(fitted)
    limits = table.limits(level)
    rows: list[Row] = []
    terms, labels = fitted.problem.terms, fitted.term_labels
    for i, (t, natural) in enumerate(zip(table.term, table.what, strict=True)):
        numbers = float(table.estimate[i]), float(table.se[i]), float(limits[i, 0]), float(limits[i, 1])
        if t < 0:
            rows.append(("Residual", "iid", "sigma", *numbers))
        else:
            structure = terms[t].structure
            label = "us" if structure is None else structure.label
            rows.append((labels[t], label, natural.name(terms[t].columns), *numbers))
    return _with_residual(rows[:-1], fitted, level) if fitted.fit.residual is not None else _framed(rows)


def _with_residual(rows: list[Row], fitted: Fitted, level: float) -> pd.DataFrame:
    """Table of the terms, and of the parameters of the residual covariance."""
    own = residual_params(fitted, level)
    return _framed([*rows, *(("Residual", *row) for row in own.itertuples(index=False))])


def _framed(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=_COLUMNS)


def natural_errors(fitted: Fitted) -> NaturalTable:
    """Estimates and standard errors of the quantities that the covariances are reported by."""
    fitted.needs("factor", "Standard errors of covariance parameters", "Use conf_int(which='random')")
    problem, fit, engine = fitted.problem, fitted.fit, fitted.model.engine()
    chart = Chart(problem)
    if not problem.is_structured:
        pairs = zip(chart.structures, fit.templates, strict=True)
        phi = [np.asarray(lam[np.triu_indices(structure.k)[::-1]]) for structure, lam in pairs]
    else:
        assert fit.search.phi is not None
        phi = list(fit.search.phi)
    with blas_threads(engine.work):
        covariance, active = _covariance(fitted, chart, chart.x_of(phi))
    sigma, terms, what, estimates, slopes = fitted.sigma, [], [], [], []
    for t, (structure, own, place) in enumerate(zip(chart.structures, phi, chart.places, strict=True)):
        for natural in structure.natural(own):
            slope = np.zeros(chart.size + 1)
            slope[place] = natural.slope / chart.units[place]
            unit = 1.0
            if natural.kind != "cor":
                unit, slope[-1] = sigma, natural.value
            terms.append(t)
            what.append(natural)
            estimates.append(unit * natural.value)
            slopes.append(unit * slope)
    terms.append(-1)
    what.append(Natural("sd", (), sigma, np.empty(0)))
    estimates.append(sigma)
    slopes.append(np.append(np.zeros(chart.size), sigma))
    se = np.array([_error(slope, covariance, active) for slope in slopes])
    for i, (t, natural) in enumerate(zip(terms, what, strict=True)):
        if _is_loose(fitted, t, natural):
            se[i] = np.nan
    return NaturalTable(np.array(terms), tuple(what), np.array(estimates), se)


def _is_loose(fitted: Fitted, term: int, natural: Natural) -> bool:
    """Whether a quantity is not identified."""
    found = fitted.fit.unidentified
    if found is None:
        return False
    if term < 0:
        return found.concerns_sigma
    return found.concerns(term, natural.effects or tuple(range(fitted.problem.terms[term].k)))


def _covariance(fitted: Fitted, chart: Chart, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance (m + 1, m + 1) of the coordinates and log sigma, and the mask (m + 1,) of those that have one."""
    problem, reml = fitted.problem, fitted.reml
    df = problem.degrees(reml)
    if fitted.fit.residual is not None:
        return _joint_covariance(fitted, chart, x)
    found = charted_curvature(fitted.model.engine(), chart, x, reml)
    at = np.flatnonzero(found.active)
    scale = np.sqrt(np.maximum(np.abs(np.diagonal(found.hessian)), 1e-300))
    values, vectors = np.linalg.eigh(found.hessian / np.outer(scale, scale))
    curved = values > _FLAT * values.max(initial=0.0)
    roots = vectors[:, curved] / np.sqrt(values[curved]) / scale[:, None]
    inverse = roots @ roots.T
    scores = df * scores_of(problem, found.pls, found.moves)[at] / found.pls.pwrss
    m = len(found.active)
    out = np.zeros((m + 1, m + 1))
    out[at[:, None], at] = 2.0 * inverse
    out[at, m] = out[m, at] = -(inverse @ scores) / df
    out[m, m] = 0.5 / df + 0.5 * float(scores @ inverse @ scores) / df**2
    # A coordinate that has a part in a flat direction is not known.
    loose = (np.abs(vectors[:, ~curved]) > _LOOSE).any(axis=1)
    known = np.append(found.active, True)
    known[at[loose]] = False
    return out, known


def _joint_covariance(fitted: Fitted, chart: Chart, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the same where the residual covariance has parameters, which stand behind the coordinates there."""
    moves = moves_at(fitted, chart, x)
    joint = joint_covariance(moves, fitted.problem.degrees(fitted.reml))
    m = chart.size
    at = np.append(np.flatnonzero(moves.active[:m]), m)
    kept = np.append(np.arange(len(at) - 1), len(joint) - 1)
    unit = np.where(kept == len(joint) - 1, 0.5, 1.0)  # log sigma of log sigma^2
    out = np.zeros((m + 1, m + 1))
    out[at[:, None], at] = joint[np.ix_(kept, kept)] * np.outer(unit, unit)
    return out, np.append(moves.active[:m], True)


def _error(slope: np.ndarray, covariance: np.ndarray, known: np.ndarray) -> float:
    """Return the standard error of a quantity; NaN where it depends on what has none."""
    if not np.isfinite(slope).all() or slope[~known].any():
        return np.nan
    variance = float(slope @ covariance @ slope)
    return float(np.sqrt(variance)) if variance > 0 else np.nan
