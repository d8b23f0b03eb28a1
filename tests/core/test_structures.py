"""Structured covariances: a new one is a class and nothing else; fits against dense matrices and unstructured terms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mixedsparse import FitOptions, RandomTerm
from mixedsparse.core.batch.general import make_batch
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.likelihood.charted import ChartedCriterion
from mixedsparse.core.likelihood.criterion import EngineCriterion
from mixedsparse.core.problem.chart import chart_of
from mixedsparse.core.problem.entries import jacobian
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.structures.autoregressive import Autoregressive
from mixedsparse.core.structures.compound import CompoundSymmetry, EqualCompoundSymmetry
from mixedsparse.core.structures.diagonal import Diagonal
from mixedsparse.core.structures.interface import Natural, Parameter, Structure
from mixedsparse.core.structures.reduced_rank import ReducedRank
from mixedsparse.core.structures.toeplitz import Toeplitz
from mixedsparse.core.structures.unstructured import Unstructured
from mixedsparse.ground.errors import BackendError, DataError
from tests.core.engines import ENGINES, engine_for
from tests.models import codes
from tests.oracle import dense, slopes


@dataclass(frozen=True)
class OneFactor:
    """A structure of a user's own, nothing but the class: Sigma = phi phi' + phi_0^2 / 4 I for three effects."""

    k: int = 3
    size = 3
    label = "own"

    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(Parameter(f"loading[{i}]", "scale", -np.inf, np.inf, i) for i in range(3))

    def factor(self, phi: np.ndarray) -> np.ndarray:
        return np.linalg.cholesky(np.outer(phi, phi) + 0.25 * phi[0] ** 2 * np.eye(3))

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        unit = np.eye(3)
        out = np.stack([np.outer(e, phi) + np.outer(phi, e) for e in unit])
        out[0] += 0.5 * phi[0] * unit
        return out

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return 2.0 * scores + np.diag([0.5 * np.trace(scores), 0.0, 0.0])

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        return phi * np.sign(phi[0])

    def start(self, sigma: np.ndarray) -> np.ndarray:
        first = np.sqrt(sigma[0, 0] / 1.25)
        return np.array([first, sigma[0, 1] / first, sigma[0, 2] / first])

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        return tuple(Natural("loading", (i,), float(phi[i]), np.eye(3)[i], 1) for i in range(3))

    def read(self, sigma: np.ndarray) -> np.ndarray:
        return self.start(sigma)


def compound(k):
    return CompoundSymmetry(k)


def autoregressive(k):
    return Autoregressive(k, hom=True)


def heterogeneous(k):
    return Autoregressive(k)


def with_gaps(k):
    """Times that are not in order, at unequal distances."""
    return Autoregressive(k, hom=True, times=(4, 1, 2, 9)[:k])


def equal_variances(k):
    return Diagonal(k, hom=True)


def toeplitz(k):
    return Toeplitz(k)


def equal_toeplitz(k):
    return Toeplitz(k, hom=True, places=(2, 0, 1)[:k])


def one_dimension(k):
    return ReducedRank(k, 1)


def two_dimensions(k):
    return ReducedRank(k, 2)


STRUCTURES = [
    *(compound, EqualCompoundSymmetry, autoregressive, heterogeneous, with_gaps),
    *(toeplitz, equal_toeplitz, one_dimension, two_dimensions),
    *(Diagonal, equal_variances, Unstructured, OneFactor),
]


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
    terms = [RandomTerm("g", group, z, covariance=structure)]
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

    np.testing.assert_allclose(structure.slopes(phi), slopes(sigma, phi), atol=1e-10)
    scores = np.random.default_rng(1).normal(size=(3, 3))
    scores = scores + scores.T
    along = slopes(lambda at: np.tensordot(structure.slopes(at), scores, 2), phi)
    np.testing.assert_allclose(structure.bend(phi, scores), along, atol=1e-10)
    np.testing.assert_allclose(sigma(structure.start(sigma(phi))), sigma(phi), atol=1e-10)


@pytest.mark.parametrize("kind", STRUCTURES)
def test_canonical_parameters_have_the_same_covariance_within_their_range(kind):
    structure = kind(3)
    phi = phi_of(structure)
    shapes = np.array([p.kind == "shape" for p in structure.parameters()])
    # All deviations turned, and shapes turned round and mirrored at their ends.
    even = np.array([p.even for p in structure.parameters()])
    for other in (
        np.where(even & ~shapes, -phi, phi),
        np.where(shapes, phi + 2 * np.pi, phi),
        np.where(shapes, np.pi - phi, phi),
    ):
        found = structure.canonical(other)
        lams = [structure.factor(values) for values in (found, other)]
        np.testing.assert_allclose(*(lam @ lam.T for lam in lams), atol=1e-12)
        for value, parameter in zip(found, structure.parameters(), strict=True):
            assert parameter.low <= value <= parameter.high or structure.label in ("us", "own")


@pytest.mark.parametrize("kind", STRUCTURES)
def test_natural_parameters_are_read_off_and_have_these_slopes(kind):
    structure = kind(3)
    phi = phi_of(structure, seed=7)

    def values(at):
        lam = structure.factor(at)
        return structure.read(lam @ lam.T)

    found = structure.natural(phi)
    np.testing.assert_allclose([natural.value for natural in found], values(phi), rtol=1e-10)
    np.testing.assert_allclose([natural.slope for natural in found], slopes(values, phi).T, atol=1e-9)


def test_slopes_of_a_triangle_are_those_that_the_criterion_uses():
    small = data(Unstructured(3), phi_of(Unstructured(3)), seed=2)
    layout = small.problem().layout
    phi = np.random.default_rng(3).normal(size=6)
    structure = Unstructured(3)
    entries = structure.slopes(phi)[:, layout.row, layout.col].T
    np.testing.assert_allclose(entries, jacobian(layout, [structure.factor(phi)]), atol=1e-14)


every_kind = pytest.mark.parametrize("kind", STRUCTURES)
every_criterion = pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
crossed_or_not = pytest.mark.parametrize("crossed", [True, False], ids=["crossed", "one"])


@every_criterion
@pytest.mark.parametrize("engine", ENGINES)
@every_kind
def test_derivatives_in_the_parameters(kind, engine, reml):
    check_derivatives(kind(3), engine, reml, crossed=True, weighted=True)


@pytest.mark.slow
@every_criterion
@pytest.mark.parametrize(("crossed", "weighted"), [(True, False), (False, True), (False, False)])
@every_kind
def test_derivatives_with_and_without_weights_and_a_crossed_term(kind, crossed, weighted, reml):
    check_derivatives(kind(3), "DenseCoupling", reml, crossed, weighted)


def check_derivatives(structure, engine, reml, crossed, weighted):
    small = data(structure, phi_of(structure), seed=4, crossed=crossed, weighted=weighted)
    problem = small.problem()
    made = engine_for(problem, engine)
    chart = chart_of(problem)
    criterion = ChartedCriterion(make_criterion(made, reml), chart)
    x = np.concatenate([phi_of(structure, 5), [0.6] * crossed]) * chart.units
    point = criterion.evaluate(x)
    found = criterion.differentiate(point, True)
    seen = slopes(lambda at: criterion.evaluate(at).criterion, x)
    np.testing.assert_allclose(found.gradient, seen, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(criterion.gradient(criterion.evaluate(x)), found.gradient, rtol=1e-9, atol=1e-9)
    if found.kind == "exact":
        curves = slopes(lambda at: criterion.gradient(criterion.evaluate(at)), x)
        np.testing.assert_allclose(found.hessian, curves, rtol=1e-7, atol=1e-7)
    want = dense_at(structure, small, x / chart.units, reml)
    assert point.criterion == pytest.approx(want.criterion, rel=1e-10)
    assert point.pwrss / problem.degrees(reml) == pytest.approx(want.sigma2, rel=1e-10)


@every_criterion
@every_kind
def test_average_information_along_the_parameters_is_that_of_all_entries(kind, reml):
    structure = kind(3)
    problem = data(structure, phi_of(structure), seed=4, crossed=True, weighted=True).problem()
    criterion = EngineCriterion(engine_for(problem, ENGINES[0]), reml)
    chart = chart_of(problem)
    x = np.concatenate([phi_of(structure, 5), [0.6]]) * chart.units
    theta, moves = chart.regular_theta(x), chart.slopes(x)
    found = criterion.along(criterion.evaluate(theta), False, moves.copy())
    whole = criterion.along(criterion.evaluate(theta), False, np.eye(len(theta)))
    in_theta = criterion.differentiate(criterion.evaluate(theta), False)
    np.testing.assert_allclose(found.hessian, moves.T @ whole.hessian @ moves, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.gradient, in_theta.gradient, rtol=1e-12)
    # Where exact second derivatives are at hand, they are taken.
    assert criterion.along(criterion.evaluate(theta), True, moves) is None


def dense_at(structure, small, phi, reml):
    theta = np.append(structure.factor(phi[: structure.size])[np.triu_indices(3)[::-1]], phi[structure.size :])
    return dense(small.y, small.X, small.terms, theta, reml=reml, weights=small.weights)


@every_criterion
@crossed_or_not
@every_kind
def test_optimum_is_that_of_dense_matrices(kind, crossed, reml):
    structure = kind(3)
    small = data(structure, phi_of(structure), seed=6, crossed=crossed, weighted=crossed)
    fit = fit_problem(make_engine(small.problem()), reml)
    assert fit.certificate.converged
    assert fit.certificate.scaled_gradient < 1e-4
    phi = np.concatenate(fit.search.phi)
    want = dense_at(structure, small, phi, reml)
    assert fit.criterion == pytest.approx(want.criterion, rel=1e-10)
    assert fit.sigma2 == pytest.approx(want.sigma2, rel=1e-10)
    np.testing.assert_allclose(fit.beta, want.beta, rtol=1e-10)
    moves = np.random.default_rng(0).normal(size=(12, len(phi)))
    assert min(dense_at(structure, small, phi + 1e-2 * move, reml).criterion for move in moves) > fit.criterion


@pytest.mark.slow
@crossed_or_not
@every_kind
def test_twenty_random_starts_end_at_one_optimum(kind, crossed):
    structure = kind(3)
    engine = make_engine(data(structure, phi_of(structure), seed=3, crossed=crossed).problem())
    best = fit_problem(engine, True)
    assert best.certificate.converged
    rng, shapes = np.random.default_rng(1), np.array([p.kind == "shape" for p in structure.parameters()])
    for _ in range(20):
        scales = phi_of(structure) * rng.normal(1.0, 1.0, structure.size)
        phi = np.where(shapes, rng.uniform(-1.4, 1.4, structure.size), scales)
        theta = structure.factor(structure.canonical(phi))[np.triu_indices(3)[::-1]]
        start = np.append(theta, rng.uniform(0.1, 2.0)) if crossed else theta
        # The time that users' fits have for further starts: single searches end where a deviation of 0 cannot leave.
        again = fit_problem(engine, True, start=start, restart_budget=FitOptions().restart_budget)
        assert again.criterion == pytest.approx(best.criterion, abs=1e-8)


def test_diagonal_structure_is_one_term_per_column():
    small = data(Diagonal(3), np.array([1.0, 0.5, 0.8]), seed=7, crossed=True)
    fit = fit_problem(make_engine(small.problem()), True)
    g, item = small.terms
    split = tuple(RandomTerm("g", g.codes, g.z[:, [j]]) for j in range(3))
    same = fit_problem(make_engine(make_problem(small.y, small.X, (*split, item))), True)
    assert fit.criterion == pytest.approx(same.criterion, abs=1e-8)
    np.testing.assert_allclose(np.concatenate(fit.search.phi), same.theta, atol=1e-5)
    np.testing.assert_allclose(fit.cov_beta, same.cov_beta, rtol=1e-5)


def test_unstructured_by_name_is_what_terms_are_without():
    small = data(Unstructured(3), phi_of(Unstructured(3)), seed=8)
    plain = tuple(replace(term, covariance=None) for term in small.terms)
    fit = fit_problem(make_engine(small.problem()), True)
    same = fit_problem(make_engine(make_problem(small.y, small.X, plain)), True)
    assert chart_of(make_problem(small.y, small.X, plain)) is None
    assert same.search.phi is None
    assert fit.criterion == pytest.approx(same.criterion, abs=1e-8)
    np.testing.assert_allclose(fit.theta, same.theta, atol=1e-4)


def test_boundaries_are_reached_and_set_to_zero():
    # Effects without any variance between conditions, or without a common part.
    for zero, drawn in enumerate(([0.0, 1.0], [1.0, 0.0])):
        structure = EqualCompoundSymmetry(3)
        for seed in range(9, 30):
            small = data(structure, np.array(drawn), seed=seed)
            fit = fit_problem(make_engine(small.problem()), True)
            assert fit.certificate.converged
            if fit.search.phi[0][zero] == 0.0:
                break
        assert fit.search.phi[0][zero] == 0.0
        assert fit.certificate.boundary
        nearby = np.array(fit.search.phi[0])
        nearby[zero] = 0.05
        theta = structure.factor(nearby)[np.triu_indices(3)[::-1]]
        assert dense(small.y, small.X, small.terms, theta, reml=True).criterion > fit.criterion


def test_search_does_not_mind_the_units_of_a_column():
    structure = Diagonal(3)
    small = data(structure, np.array([1.0, 0.5, 0.8]), seed=31)
    g = small.terms[0]
    scaled = RandomTerm("g", g.codes, g.z * [1e6, 1.0, 1e-5], covariance=structure)
    fit, same = (fit_problem(make_engine(make_problem(small.y, small.X, [t])), True) for t in (scaled, g))
    assert fit.criterion == pytest.approx(same.criterion, abs=1e-8)
    assert fit.search.nfev <= same.search.nfev + 1
    np.testing.assert_allclose(fit.search.phi[0] * [1e6, 1.0, 1e-5], same.search.phi[0], rtol=1e-5)


def test_one_row_per_condition_is_not_identified_with_equal_correlations():
    # Sigma + c I in place of Sigma leaves V as it is.
    group, condition = np.divmod(np.arange(120), 3)
    y = np.random.default_rng(32).normal(size=120) + np.random.default_rng(33).normal(size=40)[group]
    term = RandomTerm("g", group, np.eye(3)[condition], covariance=EqualCompoundSymmetry(3))
    fit = fit_problem(make_engine(make_problem(y, np.eye(3)[condition], [term])), True)
    assert fit.certificate.verdict == "not identified"


def test_structures_are_refused_where_they_are_not_taken():
    small = data(Diagonal(3), np.ones(3), seed=34)
    engine = make_engine(small.problem())
    with pytest.raises(BackendError, match="Searches in step take unstructured"):
        make_batch(engine)
    with pytest.raises(BackendError, match="Iterative fits take unstructured"):
        fit_problem(KrylovEngine(small.problem()), True)
    with pytest.raises(DataError, match="structure of 2 "):
        RandomTerm("g", small.terms[0].codes, small.terms[0].z, covariance=Diagonal(2))
