"""One parameter of a generalized model as a coordinate: held at a value, it leaves an affine piece of the others.

Where the effects that a parameter is about come first in their term, a standard deviation is the entry W_11 of the
whitened Lambda up to scale, and a correlation sin(a) with W_21 = slope W_11 + r sin(a), W_22 = r cos(a): at a given
angle both are linear in W_11 and r. A coefficient is a linear function of gamma, and a log dispersion psi itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import null_space

from mixedsparse.core.batch.coordinates import ProfileChart
from mixedsparse.core.fitting.laplace import Restricted, make_criterion
from mixedsparse.core.likelihood.laplace.criterion import LaplaceCriterion
from mixedsparse.core.problem.edits import reduced_term
from mixedsparse.data.derived import terms_with_rows, with_terms
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.fitted.generalized_objective import laplace_data
from mixedsparse.inference.generalized.refits import engine_of
from mixedsparse.inference.parameters import Parameter
from mixedsparse.inference.refit import root_of

__all__ = ["Held", "Optimum", "hold", "optimum_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Where profiles start: covariances (k, k) of the terms in theta order, beta, its standard errors, psi, nodes."""

    covariances: tuple[np.ndarray, ...]
    beta: np.ndarray
    errors: np.ndarray
    psi: np.ndarray
    nodes: int


def optimum_of(fitted: GeneralizedFitted) -> Optimum:
    """Estimates of a fit."""
    fit = fitted.fit
    covariances = tuple(lam @ lam.T for lam in fit.templates)
    psi = np.array([fit.psi] if fitted.family.has_dispersion else [])
    return Optimum(covariances, fit.beta, np.sqrt(np.diagonal(fitted.cov_beta)), psi, fit.nodes)


@dataclass(frozen=True, eq=False)
class Held:
    """A parameter as coordinate u, and the others as coordinates x (r,) of what is left.

    Attributes
    ----------
    criterion : LaplaceCriterion
        Of the model with the effects concerned in front.
    chart : ProfileChart
        Parameter from coordinate, and the range of the latter.
    places : tuple of int
        Entries of the parameter vector: that of the parameter; for a correlation those of W_11, W_21 and W_22.
    start : ndarray
        Parameter vector of the optimum, theta off the boundary.
    u : float
        Coordinate at the optimum.
    order : ndarray
        The effects of the parameter's term, as they stand in `criterion`.
    row : ndarray, shape (p,)
        beta = row'gamma of a coefficient; empty otherwise.
    """

    criterion: LaplaceCriterion
    chart: ProfileChart
    places: tuple[int, ...]
    start: np.ndarray
    u: float
    order: np.ndarray
    row: np.ndarray

    def piece(self, u: float) -> tuple[np.ndarray, np.ndarray]:
        """Directions (size, r) and shift (size,) of the parameters where the coordinate is `u`."""
        size, m = self.criterion.size, self.criterion.m
        directions, shift = np.eye(size), np.zeros(size)
        if len(self.row):
            inside = slice(m, m + len(self.row))
            shift[inside] = self.row * float(self.chart.value(np.asarray(u))) / (self.row @ self.row)
            across = np.zeros((size, len(self.row) - 1))
            across[inside] = null_space(self.row[None])
            return np.hstack([directions[:, :m], across, directions[:, m + len(self.row) :]]), shift
        if len(self.places) == 1:
            shift[self.places[0]] = u
            return np.delete(directions, self.places[0], axis=1), shift
        first, angle, radius = self.places
        directions[angle, first] = self.chart.slope
        directions[angle, radius], directions[radius, radius] = np.sin(u), np.cos(u)
        return np.delete(directions, angle, axis=1), shift

    def moved(self, u: float, vector: np.ndarray) -> np.ndarray:
        """Return the derivative (size,) of the parameters in u with x fixed, at the parameters `vector`."""
        out = np.zeros(self.criterion.size)
        if len(self.row):
            m = self.criterion.m
            out[m : m + len(self.row)] = self.row * self.chart.scale / (self.row @ self.row)
        elif len(self.places) == 1:
            out[self.places[0]] = 1.0
        else:
            first, angle, radius = self.places
            across = vector[angle] - self.chart.slope * vector[first]
            out[angle], out[radius] = vector[radius], -across
        return out

    def turned(self, u: float, gradient: np.ndarray, size: int) -> np.ndarray:
        """Return the derivative (r,) in u of directions'gradient, by how the directions move."""
        out = np.zeros(size)
        if len(self.places) == 3:
            _, angle, radius = self.places
            at = radius - int(radius > angle)
            out[at] = np.cos(u) * gradient[angle] - np.sin(u) * gradient[radius]
        return out

    def coordinates(self, vector: np.ndarray) -> np.ndarray:
        """X (r,) of a parameter vector whose coordinate is `u` of the optimum."""
        directions, shift = self.piece(self.u)
        return np.asarray(np.linalg.lstsq(directions, vector - shift, rcond=None)[0])

    def keeps_signs(self, vector: np.ndarray) -> bool:
        """Whether the angle is that of the correlation: no standard deviation has changed its sign."""
        return len(self.places) < 3 or (vector[self.places[0]] >= 0 and self._radius(vector) >= 0)

    def _radius(self, vector: np.ndarray) -> float:
        return float(vector[self.places[2]])

    def restricted(self, u: float, rest: list[np.ndarray]) -> Restricted:
        """Criterion where the coordinate is `u`, modes searched from `rest`."""
        return Restricted(self.criterion, *self.piece(u), rest)


def hold(model: GeneralizedModel, at: Optimum, parameter: Parameter) -> Held:
    """Make `parameter` a coordinate around the optimum `at` of `model`."""
    k = model.problem.terms[parameter.term].k if parameter.term >= 0 else 0
    first = list(dict.fromkeys(parameter.places)) if parameter.kind in ("sd", "cor") else []
    order = np.array([*first, *(j for j in range(k) if j not in first)], dtype=int)
    covariances = list(at.covariances)
    if k:
        covariances[parameter.term] = covariances[parameter.term][np.ix_(order, order)]
    model = _reordered(model, parameter.term, order)
    problem = model.problem
    data = laplace_data(model, engine_of(model))
    criterion = make_criterion(data, at.nodes)
    layout, root = problem.layout, criterion.data.root
    templates = [root_of(cov, whiten) for cov, whiten in zip(covariances, layout.whiten, strict=True)]
    start = np.concatenate([layout.to_block @ problem.theta_layout.flatten(templates), root @ at.beta, at.psi])
    nothing, p = np.empty(0), criterion.p
    common = {"problem": problem, "position": -1, "row": np.zeros(p)}
    if parameter.kind == "fixed":
        i = parameter.places[0]
        row = np.linalg.inv(root)[i]
        chart = ProfileChart(**common, centre=float(at.beta[i]), scale=float(at.errors[i]))  # type: ignore[arg-type]
        return Held(criterion, chart, (), start, 0.0, order, row)
    if parameter.kind == "dispersion":
        chart = ProfileChart(**common, kind="log")  # type: ignore[arg-type]
        return Held(criterion, chart, (criterion.size - 1,), start, float(at.psi[0]), order, nothing)
    whiten, covariance = layout.whiten[parameter.term], covariances[parameter.term]
    deviation = float(np.sqrt(covariance[0, 0]))
    if parameter.kind == "sd":
        chart = ProfileChart(**common, scale=1.0 / whiten[0, 0], floor=0.0)  # type: ignore[arg-type]
        places: Sequence[int] = (_entry(criterion, parameter.term, 0, 0),)
        return Held(criterion, chart, tuple(places), start, deviation * whiten[0, 0], order, nothing)
    places = [_entry(criterion, parameter.term, r, c) for r, c in ((0, 0), (1, 0), (1, 1))]
    slope = whiten[1, 0] / whiten[0, 0]
    chart = ProfileChart(**common, kind="sine", floor=-0.5 * np.pi, slope=slope)  # type: ignore[arg-type]
    correlation = np.clip(covariance[1, 0] / (deviation * np.sqrt(covariance[1, 1])), -1.0, 1.0)
    return Held(criterion, chart, tuple(places), start, float(np.arcsin(correlation)), order, nothing)


def _entry(criterion: LaplaceCriterion, term: int, row: int, col: int) -> int:
    """Position in theta of an entry of one term's triangle."""
    layout = criterion.layout
    start = layout.term_start[term]
    here = (layout.block == layout.term_block[term]) & (layout.row == start + row) & (layout.col == start + col)
    return int(np.flatnonzero(here)[0])


def _reordered(model: GeneralizedModel, term: int, order: np.ndarray) -> GeneralizedModel:
    """Return `model` with the effects of one term, by position in theta order, in another order."""
    if (order == np.arange(len(order))).all():
        return model
    place = model.problem.order[term]
    terms = list(terms_with_rows(model.design))
    terms[place] = reduced_term(terms[place], np.eye(len(order))[:, order])
    return GeneralizedModel(with_terms(model.design, terms), model.family)
