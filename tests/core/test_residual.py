"""Residual structures against the definition of R, and the criterion with them against dense matrices."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.likelihood.residual.criterion import ResidualCriterion
from mixedsparse.core.likelihood.residual.family import RowFamily
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.whitened import joined_by
from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.exchangeable import Exchangeable
from mixedsparse.core.residual.interface import Entries
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.series import Series
from mixedsparse.core.residual.templates import (
    Autoregressive,
    CompoundSymmetric,
    ToeplitzTemplate,
    UnstructuredTemplate,
)
from mixedsparse.core.residual.visits import Visits
from mixedsparse.ground.errors import NotPositiveDefiniteError
from tests.oracle import dense, slopes

K = 4
LABELS = ("a", "b", "c", "d")


def rows(groups=14, seed=3):
    """Groups and visits, some missing, in any order."""
    rng = np.random.default_rng(seed)
    g, v = np.repeat(np.arange(groups), K), np.tile(np.arange(K), groups)
    keep = rng.random(groups * K) > 0.2
    order = rng.permutation(int(keep.sum()))
    return np.unique(g[keep][order], return_inverse=True)[1], v[keep][order], rng


def families(g, v, rng):
    """Return every structure on the same rows."""
    n = len(g)
    W = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])
    spread = Dispersion(W, ("x", "s"))
    inner = {
        "cs": Exchangeable(g, "g"),
        "ar1": Series(g, v.astype(float), "g"),
        "car1": Series(g, 1.3 * v + 0.1 * rng.random(n), "g", continuous=True),
        "us": Visits(g, v, LABELS, UnstructuredTemplate(K)),
        "het cs": Visits(g, v, LABELS, CompoundSymmetric(K, True)),
        "het ar1": Visits(g, v, LABELS, Autoregressive(K, True, np.array([0, 1, 3, 4]))),
        "toep": Visits(g, v, LABELS, ToeplitzTemplate(K, False)),
        "het toep": Visits(g, v, LABELS, ToeplitzTemplate(K, True)),
    }
    return {"dispersion": spread, **inner, "dispersion x ar1": Product(spread, inner["ar1"])} | {
        "dispersion x us": Product(spread, inner["us"])
    }


FAMILIES = families(*rows())
every_family = pytest.mark.parametrize("name", FAMILIES)


@every_family
def test_whitening_and_slopes_are_those_of_dense_matrices(name):
    family, rng = FAMILIES[name], np.random.default_rng(1)
    phi, n = 0.5 * rng.normal(size=family.size), len(rows()[0])
    at, every = family.at(phi), np.arange(n)
    R, L, inverse = at.between(every), at.colour(np.eye(n)), np.linalg.inv(at.between(every))
    assert np.allclose(L @ L.T, R, atol=1e-13)
    assert np.allclose(at.whiten(L), np.eye(n), atol=1e-12)
    assert np.allclose(at.transposed(np.eye(n)), L.T, atol=1e-13)
    assert np.allclose(at.precision(R), np.eye(n), atol=1e-12)
    assert np.allclose(at.variances(), np.diag(R))
    assert at.logdet == pytest.approx(np.linalg.slogdet(R)[1], abs=1e-11)
    turns = slopes(lambda x: family.at(x).between(every), phi)
    a, b = rng.normal(size=(2, n, 3))
    turned = inverse @ turns @ inverse
    assert np.allclose(at.slopes, np.einsum("ab,iba->i", inverse, turns), atol=1e-10)
    assert np.allclose(at.forms(a, b), np.einsum("ak,iab,bk->i", a, turned, b), atol=1e-9)
    assert np.allclose(at.forms(a, a), np.einsum("ak,iab,bk->i", a, turned, a), atol=1e-6)
    direction = rng.normal(size=family.size)
    moved = np.linalg.inv(L) @ np.tensordot(direction, turns, 1) @ inverse @ a
    assert np.allclose(at.moved(a, direction), moved, atol=1e-10)
    working = np.array([at.moved(a[:, :1], unit)[:, 0] for unit in np.eye(family.size)]).T
    assert np.allclose(at.working(a[:, 0]), working, atol=1e-12)
    innovations = at.innovations(np.eye(n))
    assert np.allclose(innovations @ R @ innovations.T, np.eye(n), atol=1e-12)


def test_series_keeps_its_digits_where_the_correlation_goes_to_1():
    n = 40
    x = 1e3 + np.cumsum(1e-3 * np.random.default_rng(1).normal(size=n))[:, None]
    phi = np.array([np.arctanh(1.0 - 1e-9)])
    at = Series(np.zeros(n, dtype=int), np.arange(n, dtype=float), "g").at(phi)
    e = 2.0 / (np.exp(2.0 * phi[0]) + 1.0)  # 1 - rho
    white = at.whiten(x)[1:, 0]
    assert np.allclose(white, (np.diff(x[:, 0]) + e * x[:-1, 0]) / np.sqrt(e * (2.0 - e)), rtol=1e-12)


KINDS = {
    "none": (),
    "nested": ("own", "wide"),
    "crossed": ("item",),
    "nested and crossed": ("own", "item", "visit"),
    "roles": ("own", "roles"),
}


def problem_of(kind, weighted, family):
    """Random effects of the groups of the residuals and of what they are nested in, and of what crosses them."""
    g, v, rng = rows()
    n = len(g)
    one, slope = np.ones((n, 1)), np.column_stack([np.ones(n), rng.normal(size=n)])
    sender = rng.integers(0, 7, n)
    sides = [np.column_stack([one, 0 * one]), np.column_stack([0 * one, one])]
    terms = {
        "own": RandomTerm("g", g, slope),
        "wide": RandomTerm("wide", g // 3, one),
        "item": RandomTerm("item", np.unique(rng.integers(0, 9, n), return_inverse=True)[1], slope[:, ::-1]),
        "visit": RandomTerm("visit", v, one),
        "roles": RandomTerm("roles", [sender, (sender + rng.integers(0, 7, n)) % 7], sides),
    }
    X = np.column_stack([np.ones(n), rng.normal(size=n)])
    weights = rng.uniform(0.5, 2.0, n) if weighted else None
    problem = make_problem(rng.normal(size=n), X, [terms[name] for name in KINDS[kind]], weights)
    return joined_by(problem, family), X, weights


@every_family
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [True, False], ids=["weights", ""])
def test_criterion_is_the_dense_one_and_its_gradient_that_of_differences(name, reml, kind, weighted):
    family = FAMILIES[name]
    problem, X, weights = problem_of(kind, weighted, family)
    criterion = ResidualCriterion(make_engine(problem), reml, RowFamily(problem, family), None)
    rng, m = np.random.default_rng(7), problem.n_theta
    x = np.concatenate([problem.layout.to_block @ (0.6 * rng.normal(size=m)), 0.3 * rng.normal(size=family.size)])
    point = criterion.evaluate(x)
    R = family.at(x[m:]).between(np.arange(problem.n))
    y = problem.columns[:, -1] / (1.0 if weights is None else np.sqrt(weights)) + X @ [1.0, -2.0]
    want = dense(y, X, problem.terms, problem.from_block @ x[:m], reml=reml, weights=weights, R=R)
    assert point.criterion == pytest.approx(want.criterion, rel=1e-10)
    assert point.pwrss / problem.degrees(reml) == pytest.approx(want.sigma2, rel=1e-10)
    gradient = criterion.differentiate(point, exact=False).gradient
    assert np.allclose(criterion.gradient(criterion.evaluate(x)), gradient, rtol=1e-12, atol=1e-12)
    seen = slopes(lambda at: criterion.evaluate(at).criterion, x, 1e-3)
    assert np.allclose(gradient, seen, rtol=1e-7, atol=1e-7)


def test_crossed_criterion_keeps_its_digits_where_the_correlation_goes_to_1():
    family = FAMILIES["ar1"]
    problem, _, _ = problem_of("nested and crossed", True, family)
    criterion = ResidualCriterion(make_engine(problem), True, RowFamily(problem, family), None)
    x = np.append(0.5 * np.ones(problem.n_theta), np.arctanh(1.0 - 1e-6))
    found = criterion.gradient(criterion.evaluate(x))
    seen = slopes(lambda at: criterion.evaluate(at).criterion, x, 1e-3)
    assert np.allclose(found, seen, rtol=1e-7, atol=1e-5)


@every_family
def test_entries_of_the_inverse_and_of_its_slopes_are_those_of_dense_matrices(name):
    family, rng = FAMILIES[name], np.random.default_rng(2)
    at, n = family.at(0.4 * rng.normal(size=family.size)), len(rows()[0])
    first, second = family.joined
    inverse = np.linalg.inv(at.between(np.arange(n)))
    found = np.diag(at.inverse().diagonal)
    found[first, second] = found[second, first] = at.inverse().pairs
    assert np.allclose(found, inverse, atol=1e-12)
    root = rng.normal(size=(n, n))
    W = root @ root.T
    # tr(R^-1 R_i R^-1 W) by the columns of a root of W.
    want = at.forms(root, root)
    assert np.allclose(at.turned(Entries(np.diagonal(W), W[first, second])), want, rtol=1e-11)


def test_average_information_is_the_hessian_where_strata_are_balanced():
    rng = np.random.default_rng(2)
    g, s = np.repeat(np.arange(40), 6), np.tile([0, 0, 0, 1, 1, 1], 40)
    y = rng.normal(size=40)[g] + np.where(s == 1, 2.0, 1.0) * rng.normal(size=240)
    X = np.column_stack([np.ones(240), s])
    problem = make_problem(y, X, [RandomTerm("g", g, np.ones((240, 1)))])
    family = Dispersion(s[:, None].astype(float), ("s",))
    fit = fit_problem(make_engine(problem), True, residual=family)
    criterion = ResidualCriterion(make_engine(problem), True, RowFamily(problem, family), None)
    x = np.concatenate([fit.search.theta, fit.residual])
    observed = observed_hessian(lambda at: criterion.gradient(criterion.evaluate(at)), x)
    found = criterion.differentiate(criterion.evaluate(x), exact=False).hessian
    assert np.allclose(found, observed, rtol=0.1, atol=0.05 * np.abs(observed).max())


@every_family
def test_twenty_random_starts_end_at_one_optimum(name):
    g, v, rng = rows(groups=60)
    family = families(g, v, rng)[name]
    y = family.at(0.3 * rng.normal(size=family.size)).colour(rng.normal(size=(len(g), 1)))[:, 0]
    problem = make_problem(y, np.ones((len(g), 1)), [])
    engine = make_engine(problem)
    best = fit_problem(engine, True, residual=family)
    assert best.certificate.converged
    assert best.search.nfev <= 15
    for _ in range(20):
        again = fit_problem(engine, True, start=rng.normal(size=family.size), residual=family)
        assert again.criterion == pytest.approx(best.criterion, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ar1", "cs", "us", "het toep", "dispersion x ar1"])
def test_twenty_random_starts_end_at_one_optimum_beside_crossed_terms(name):
    g, v, rng = rows(groups=60)
    family = families(g, v, rng)[name]
    item = np.unique(rng.integers(0, 9, len(g)), return_inverse=True)[1]
    basis = np.column_stack([np.ones(len(g)), rng.normal(size=len(g))])
    effects = np.einsum("nk,nk->n", basis, rng.normal(size=(9, 2))[item])
    y = effects + family.at(0.3 * rng.normal(size=family.size)).colour(rng.normal(size=(len(g), 1)))[:, 0]
    problem = joined_by(make_problem(y, basis[:, :1], [RandomTerm("item", item, basis)]), family)
    engine = make_engine(problem)
    best = fit_problem(engine, True, residual=family)
    assert best.certificate.converged
    for _ in range(20):
        theta = np.array([np.exp(rng.normal()), rng.normal(), np.exp(rng.normal())])
        start = np.concatenate([theta, 0.7 * rng.normal(size=family.size)])
        again = fit_problem(engine, True, start=start, residual=family)
        assert again.criterion == pytest.approx(best.criterion, abs=1e-7)


def test_singular_residual_covariances_cannot_be_evaluated():
    g, v, _ = rows()
    family = Visits(g, v, LABELS, UnstructuredTemplate(K))
    problem = make_problem(np.random.default_rng(1).normal(size=len(g)), np.ones((len(g), 1)), [])
    criterion = ResidualCriterion(make_engine(problem), True, RowFamily(problem, family), None)
    phi = np.zeros(family.size)
    phi[-1] = 12.0
    assert "d becomes a function" in family.at(phi).degenerate()
    phi[-1] = 1e7
    with pytest.raises(NotPositiveDefiniteError):
        criterion.evaluate(phi)
