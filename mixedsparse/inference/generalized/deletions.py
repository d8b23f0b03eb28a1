"""Generalized models fitted to fewer rows, from the optimum of all."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.fitting.laplace import fit_generalized
from mixedsparse.core.problem.edits import on_rows
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.ground.errors import MixedSparseError, MixedSparseWarning
from mixedsparse.inference.parameters import parameters
from mixedsparse.inference.refit import root_of
from mixedsparse.inference.replicates import estimates_of

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["estimates_without", "fit_without"]


def estimates_without(fitted: GeneralizedFitted, codes: np.ndarray, count: int) -> np.ndarray:
    """Values of all parameters without the rows of each of `count` codes (n,); NaN where those have no optimum."""
    out = np.full((count, len(parameters(fitted))), np.nan)
    for i in range(count):
        try:
            other = fit_without(fitted, codes == i)
        except MixedSparseError:
            continue
        if other.converged and other.x_names == fitted.x_names:
            out[i] = estimates_of(other)
    return out


def fit_without(fitted: GeneralizedFitted, gone: np.ndarray) -> GeneralizedFitted:
    """Fit the rows that are not `gone` (n,), from the optimum of all."""
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
