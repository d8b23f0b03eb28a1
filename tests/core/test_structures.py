"""Structured covariances: a new one is a class and nothing else; fits against dense matrices and unstructured terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse import RandomTerm
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.problem.chart import chart_of
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.structures.diagonal import Diagonal
from mixedsparse.core.structures.interface import Parameter, Structure
from mixedsparse.core.structures.unstructured import Unstructured
from mixedsparse.ground.errors import DataError
from tests.core.engines import ENGINES, engine_for
from tests.models import codes


@dataclass(frozen=True)
class CompoundSymmetry:
    """Equal variances, equal correlations: Sigma = (a (I - J / k) + b J / k)^2, a zero of a is correlation 1."""

    k: int
    size = 2

    def parameters(self) -> tuple[Parameter, ...]:
        return Parameter("within", "scale", 0.0, np.inf), Parameter("between", "scale", 0.0, np.inf)

    def factor(self, phi: np.ndarray) -> np.ndarray:
        within, between = self._projections()
        return np.linalg.qr(phi[0] * within + phi[1] * between, mode="r").T

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        return np.stack(self._projections()) * 2.0 * phi[:, None, None]

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return np.diag([2.0 * np.vdot(scores, projection) for projection in self._projections()])

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        return np.abs(phi)

    def start(self, sigma: np.ndarray) -> np.ndarray:
        within, between = self._projections()
        return np.sqrt([np.vdot(sigma, within) / max(self.k - 1, 1), np.vdot(sigma, between)])

    def _projections(self) -> tuple[np.ndarray, np.ndarray]:
        mean = np.full((self.k, self.k), 1.0 / self.k)
        return np.eye(self.k) - mean, mean


@dataclass(frozen=True)
class Autoregressive:
    """One standard deviation, and a correlation sin(omega) to the power of the distance: scale and shape together."""

    k: int
    size = 2

    def parameters(self) -> tuple[Parameter, ...]:
        return Parameter("sd", "scale", 0.0, np.inf), Parameter("omega", "shape", -np.pi / 2, np.pi / 2)

    def factor(self, phi: np.ndarray) -> np.ndarray:
        rho, k = np.sin(phi[1]), self.k
        i, j = np.indices((k, k))
        lam = np.where(j == 0, 1.0, np.cos(phi[1])) * np.where(i >= j, rho ** np.maximum(i - j, 0), 0.0)
        return phi[0] * lam

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        powers, first, _ = self._powers(phi)
        return np.stack([2.0 * phi[0] * powers, phi[0] ** 2 * first])

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        powers, first, second = self._powers(phi)
        mixed = 2.0 * phi[0] * np.vdot(scores, first)
        return np.array([[2.0 * np.vdot(scores, powers), mixed], [mixed, phi[0] ** 2 * np.vdot(scores, second)]])

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        return np.array([abs(phi[0]), np.arcsin(np.sin(phi[1]))])

    def start(self, sigma: np.ndarray) -> np.ndarray:
        variance = max(float(np.diagonal(sigma).mean()), 1e-8)
        rho = float(np.diagonal(sigma, 1).mean()) / variance
        return np.array([np.sqrt(variance), np.arcsin(np.clip(rho, -0.9, 0.9))])

    def _powers(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """rho^d and its derivatives in omega."""
        d = np.abs(np.subtract(*np.indices((self.k, self.k))))
        rho, slope = np.sin(phi[1]), np.cos(phi[1])
        first = d * rho ** np.maximum(d - 1, 0)
        second = d * (d - 1) * rho ** np.maximum(d - 2, 0)
        return rho**d, first * slope, second * slope**2 - first * rho


STRUCTURES = [CompoundSymmetry, Autoregressive, Diagonal, Unstructured]


@dataclass(frozen=True)
class Data:
    y: np.ndarray
    X: np.ndarray
    terms: tuple[RandomTerm, ...]
    weights: np.ndarray | None

    def problem(self):
        return make_problem(self.y, self.X, self.terms, self.weights)


def data(structure: Structure, phi: np.ndarray, seed: int, crossed: bool = False, weighted: bool = False) -> Data:
    """Effects of a condition with three levels, drawn with the covariance at `phi`; perhaps a crossed intercept."""
    rng = np.random.default_rng(seed)
    n, k = 240, structure.k
    group, condition = codes(rng, n, 24), codes(rng, n, k)
    z = np.eye(k)[condition]
    effects = rng.normal(size=(24, k)) @ structure.factor(phi).T
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    weights = rng.uniform(0.3, 3.0, n) if weighted else None
    y = X @ [1.0, 0.5] + effects[group, condition] + rng.normal(size=n) / (1.0 if weights is None else np.sqrt(weights))
    terms = [RandomTerm("g", group, z, structure=structure)]
    if crossed:
        item = codes(rng, n, 15)
        y = y + 0.7 * rng.normal(size=15)[item]
        terms.append(RandomTerm("item", item, np.ones((n, 1))))
    return Data(y, X, tuple(terms), weights)


def phi_of(structure: Structure, seed: int = 0) -> np.ndarray:
    return structure.start(np.eye(structure.k) + 0.4) * np.random.default_rng(seed).uniform(0.6, 1.4, structure.size)


@pytest.mark.parametrize("kind", STRUCTURES)
def test_slopes_and_bend_are_derivatives_of_sigma(kind):
    structure = kind(3)
    phi = phi_of(structure)

    def sigma(values):
        lam = structure.factor(values)
        assert np.allclose(np.triu(lam, 1), 0.0)
        return lam @ lam.T

    steps = 1e-5 * np.eye(structure.size)
    differences = np.array([(sigma(phi + h) - sigma(phi - h)) / 2e-5 for h in steps])
    np.testing.assert_allclose(structure.slopes(phi), differences, atol=1e-8)
    scores = np.random.default_rng(1).normal(size=(3, 3))
    scores = scores + scores.T
    along = [np.tensordot(structure.slopes(phi + h) - structure.slopes(phi - h), scores, 2) / 2e-5 for h in steps]
    np.testing.assert_allclose(structure.bend(phi, scores), along, atol=1e-8)
    np.testing.assert_allclose(sigma(structure.canonical(-phi)), sigma(-phi), atol=1e-12)
    lam = structure.factor(structure.start(sigma(phi)))
    np.testing.assert_allclose(lam @ lam.T, sigma(phi), atol=1e-10)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", STRUCTURES)
def test_derivatives_in_the_parameters(kind, engine, reml):
    structure = kind(3)
    small = data(structure, phi_of(structure), seed=4, crossed=True, weighted=True)
    problem = small.problem()
    made = engine_for(problem, engine)
    chart = chart_of(problem)
    criterion = ChartedCriterion(make_criterion(made, reml), chart)
    x = np.concatenate([phi_of(structure, 5), [0.6]]) * chart.units
    found = criterion.differentiate(criterion.evaluate(x), True)
    steps = 1e-5 * np.eye(len(x))
    ends = [(criterion.evaluate(x + h), criterion.evaluate(x - h)) for h in steps]
    slopes = [(a.criterion - b.criterion) / 2e-5 for a, b in ends]
    np.testing.assert_allclose(found.gradient, slopes, rtol=2e-7, atol=2e-6)
    np.testing.assert_allclose(criterion.gradient(criterion.evaluate(x)), found.gradient, rtol=1e-9, atol=1e-9)
    if found.kind == "exact":
        curves = np.array([(criterion.gradient(a) - criterion.gradient(b)) / 2e-5 for a, b in ends])
        np.testing.assert_allclose(found.hessian, curves, rtol=1e-5, atol=1e-4)


def test_structures_are_refused_where_they_are_not_taken():
    small = data(Diagonal(3), np.ones(3), seed=34)
    with pytest.raises(DataError, match="structured covariance"):
        ms.LinearMixedModel.from_arrays(small.y, small.X, small.terms)
    with pytest.raises(DataError, match="structure of 2 "):
        RandomTerm("g", small.terms[0].codes, small.terms[0].z, structure=Diagonal(2))
