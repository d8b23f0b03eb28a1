"""Other responses and weights on the pattern of a problem, against dense matrices of the data themselves."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import block_diag

from mixedsparse import RandomTerm
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.criteria import make_criterion
from mixedsparse.core.engines.split.coupling import SparseCoupling
from mixedsparse.core.likelihood.pls import Pls, solve_pls
from mixedsparse.core.problem.edits import Rows, combined, for_factors, on_rows, reweighted, with_grams, with_response
from mixedsparse.core.problem.problem import Problem, make_problem
from mixedsparse.core.problem.reweighting import RowSums
from mixedsparse.core.problem.subtraction import without
from tests.core.engines import ENGINES, engine_for
from tests.models import DESIGNS, make, random_theta
from tests.oracle import dense

REL, ABS = 1e-9, 1e-9


def new_weights(n: int, seed: int = 9) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.1, 8.0, n)


def pls_at(engine, theta: np.ndarray, reml: bool = True) -> Pls:
    problem = engine.problem
    return solve_pls(problem, engine.factorize(problem.layout.lams(problem.layout.to_block @ theta)), reml)


def assert_same(problem: Problem, pls: Pls, want, reml: bool) -> None:
    sigma2 = pls.pwrss / problem.degrees(reml)
    assert pls.criterion == pytest.approx(want.criterion, rel=REL, abs=ABS)
    assert sigma2 == pytest.approx(want.sigma2, rel=REL)
    np.testing.assert_allclose(problem.basis.beta(pls.gamma), want.beta, rtol=REL, atol=ABS)
    np.testing.assert_allclose(sigma2 * problem.basis.covariance(pls.K), want.cov_beta, rtol=REL, atol=ABS)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", DESIGNS)
def test_other_weights_on_the_engine_that_there_is(name, kind):
    small = make(name, seed=4)
    problem, theta = small.problem(), random_theta(small, seed=5)
    engine = engine_for(problem, kind)
    before = pls_at(engine, theta)
    # Twice: the second time, what was kept at the first serves.
    for seed in (1, 2):
        weights = new_weights(len(small.y), seed)
        changed = engine.with_problem(reweighted(problem, weights))
        for reml in (True, False):
            want = dense(small.y, small.X_kept, small.terms, theta, reml=reml, weights=weights)
            assert_same(changed.problem, pls_at(changed, theta, reml), want, reml)
    # The engines share an analysis, and each has its own numbers.
    assert pls_at(engine, theta).criterion == before.criterion
    assert_same(
        problem, before, dense(small.y, small.X_kept, small.terms, theta, reml=True, weights=small.weights), True
    )


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", ["crossed_slopes", "two_terms_per_factor", "three_factors", "scattered", "weighted"])
def test_derivatives_at_other_weights(name, kind):
    small = make(name, seed=6)
    weights = new_weights(len(small.y))
    engine = engine_for(small.problem(), kind).with_problem(reweighted(small.problem(), weights))
    problem, theta = engine.problem, random_theta(small, seed=7)
    criterion = make_criterion(engine, True)
    at = problem.layout.to_block @ theta
    found = criterion.differentiate(criterion.evaluate(at), True)
    fresh = make_problem(small.y, small.X, small.terms, weights)
    same = make_criterion(make_engine(fresh), True)
    want = same.differentiate(same.evaluate(fresh.layout.to_block @ theta), True)
    # In the user's theta: the whitening of the two differs.
    to, other = problem.layout.to_block, fresh.layout.to_block
    np.testing.assert_allclose(to.T @ found.gradient, other.T @ want.gradient, rtol=1e-7, atol=1e-7)
    if found.kind == want.kind:
        np.testing.assert_allclose(to.T @ found.hessian @ to, other.T @ want.hessian @ other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", DESIGNS)
def test_sums_by_a_table_of_products_and_one_by_one_are_the_same(name):
    problem = make(name, seed=8).problem()
    weights = new_weights(problem.n)
    table, one_by_one = (RowSums(problem.blocks, problem.pairs, kept=kept) for kept in (10**9, 0))
    for mine, other in zip(table.grams(weights), one_by_one.grams(weights), strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-12)
    for key, pairs in table.pairs(weights).items():
        np.testing.assert_allclose(pairs.data, one_by_one.pairs(weights)[key].data, atol=1e-12)
    symmetric = table.grams(weights)
    beside = {key: pairs.data for key, pairs in table.pairs(weights).items()}
    np.testing.assert_allclose(table.forms(symmetric, beside), one_by_one.forms(symmetric, beside), rtol=1e-11)


@pytest.mark.parametrize("name", DESIGNS)
def test_bases_and_pattern_stay_and_sums_are_those_of_the_rows(name):
    small = make(name, seed=8)
    problem = small.problem()
    new = reweighted(problem, new_weights(len(small.y)))
    assert new.layout is problem.layout
    assert new.basis.root is problem.basis.root
    for key, pairs in new.pairs.items():
        assert pairs.indices is problem.pairs[key].indices
    for b, block in enumerate(new.blocks):
        z = np.zeros((problem.n, block.n_levels, block.width))
        z[np.arange(problem.n), block.codes] = block.z
        for c, other in enumerate(new.blocks):
            y = np.zeros((problem.n, other.n_levels, other.width))
            y[np.arange(problem.n), other.codes] = other.z
            full = np.einsum("nla,nmb->lamb", z, y)
            if b == c:
                own = full[np.arange(block.n_levels), :, np.arange(block.n_levels)]
                np.testing.assert_allclose(new.grams[b], own, atol=1e-10)
            elif b < c:
                np.testing.assert_allclose(new.pairs[b, c].dense(), full.transpose(0, 1, 3, 2), atol=1e-10)
        np.testing.assert_allclose(new.Zxy[b], np.einsum("nla,nr->lar", z, new.columns), atol=1e-10)
    np.testing.assert_allclose(new.xy, new.columns.T @ new.columns, atol=1e-10)


@pytest.mark.parametrize("name", ["slopes", "crossed_slopes", "weighted", "no_fixed", "rank_deficient"])
def test_edits_follow_each_other(name):
    small = make(name, seed=10)
    problem, theta, n = small.problem(), random_theta(small, seed=11), len(small.y)
    weights, y = new_weights(n), 1e6 + np.random.default_rng(12).normal(size=n)
    want = dense(y - 1e6 * (small.X.shape[1] > 0), small.X_kept, small.terms, theta, reml=True, weights=weights)
    once = with_response(reweighted(reweighted(problem, new_weights(n, 13)), weights), y)
    other = reweighted(with_response(problem, y), weights)
    for new in (once, other):
        assert new.origin.origin is None
        pls = pls_at(make_engine(new), theta)
        assert pls.criterion == pytest.approx(want.criterion, rel=1e-7)
    assert_allclose = np.testing.assert_allclose
    assert_allclose(once.xy, other.xy, rtol=1e-9, atol=1e-9 * np.abs(other.xy).max())


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize("name", ["slopes", "crossed_slopes", "three_factors", "weighted"])
def test_weights_of_any_sign_without_the_columns(name, kind):
    # As long as M stays positive definite: the observed information of a response that is not log-concave.
    small = make(name, seed=14)
    problem = small.problem()
    rng = np.random.default_rng(15)
    weights = rng.uniform(0.5, 2.0, problem.n)
    weights[rng.integers(problem.n, size=4)] = -0.3
    base = np.ones(problem.n) if small.weights is None else np.sqrt(small.weights)
    sums = problem.row_sums
    new = with_grams(for_factors(problem), sums.grams(weights / base**2), sums.pairs(weights / base**2))
    dense_z = []
    for block in problem.blocks:
        z = np.zeros((problem.n, block.n_levels, block.width))
        z[np.arange(problem.n), block.codes] = block.z / base[:, None]
        dense_z.append(z.reshape(problem.n, -1))
    factors = problem.layout.lams(problem.layout.to_block @ random_theta(small, seed=16))
    Lam = [np.kron(np.eye(n), lam) for n, lam in zip(problem.layout.n_levels, factors, strict=True)]
    ZL = np.hstack([z @ lam for z, lam in zip(dense_z, Lam, strict=True)])
    M = ZL.T @ (weights[:, None] * ZL) + np.eye(ZL.shape[1])
    factor = engine_for(problem, kind).with_problem(new).factorize(factors)
    assert factor.logdet == pytest.approx(np.linalg.slogdet(M)[1], rel=1e-9)
    full = block_diag(*Lam) @ np.linalg.inv(M) @ block_diag(*Lam).T
    diagonal, _ = factor.pattern_covariances()
    start = 0
    for blocks in diagonal:
        levels, k, _ = blocks.shape
        own = full[start : start + levels * k, start : start + levels * k].reshape(levels, k, levels, k)
        np.testing.assert_allclose(blocks, own[np.arange(levels), :, np.arange(levels)], rtol=1e-8, atol=1e-9)
        start += levels * k
    with pytest.raises((ValueError, IndexError)):
        solve_pls(new, factor, True)


def test_a_small_problem_takes_other_weights_by_its_rows_too():
    # Nearly all of y lies in the intercepts of g, so that sums lose digits and rows are used.
    rng = np.random.default_rng(17)
    g = np.repeat(np.arange(10), 6)
    y = 1e7 * rng.normal(size=10)[g] + rng.normal(size=60)
    weights = new_weights(60)
    term = RandomTerm("g", g, np.ones((60, 1)))
    problem = reweighted(make_problem(y, np.ones((60, 1)), [term]), weights)
    fresh = make_problem(y, np.ones((60, 1)), [term], weights)
    theta = np.array([1e7])
    found, want = pls_at(make_engine(problem), theta), pls_at(make_engine(fresh), theta)
    assert found.lossy
    assert want.lossy
    assert found.criterion == pytest.approx(want.criterion, rel=1e-9)


@pytest.mark.parametrize("first", [None, "reweighted"])
@pytest.mark.parametrize("name", DESIGNS)
def test_without_rows(name, first):
    # Also at other weights than those that the bases were made at, and without a whole level of a factor.
    small = make(name, seed=18)
    problem, theta, n = small.problem(), random_theta(small, seed=19), len(small.y)
    weights = small.weights
    if first == "reweighted":
        weights = new_weights(n)
        problem = reweighted(problem, weights)
    gone = np.flatnonzero(problem.terms[0].codes == 1)
    new = without(problem, gone)
    left = np.delete(np.arange(n), gone)
    terms = [on_rows(term, left) for term in small.terms]
    X = small.X_kept[left]
    # Lambda of a term does not depend on its levels: theta stays, in the order of the terms that are left.
    order = sorted(range(len(terms)), key=lambda i: -terms[i].n_levels)
    pieces = [theta[problem.theta_layout.term == problem.order.index(i)] for i in order]
    own = None if weights is None else weights[left]
    want = dense(small.y[left], X, terms, np.concatenate(pieces), reml=True, weights=own)
    assert_same(new, pls_at(make_engine(problem).with_problem(new), theta), want, True)
    with pytest.raises(ValueError, match="edited again"):
        reweighted(new, np.ones(n))


@pytest.mark.parametrize("from_rows", [False, True], ids=["sums", "rows"])
@pytest.mark.parametrize("name", ["slopes", "crossed_slopes", "two_terms_per_factor", "weighted"])
def test_fewer_columns_and_effects(name, from_rows):
    small = make(name, seed=20)
    problem = small.problem()
    effects = []
    for i, term in enumerate(small.terms):
        effects.append((problem.order.index(i), np.eye(term.k)[:, : max(1, term.k - 1)]))
    columns = np.ones((problem.p, 1)) if problem.p > 1 else np.eye(problem.p)
    data = Rows(small.y, small.X, small.weights) if from_rows else None
    new = combined(problem, columns, effects, data)
    terms = [RandomTerm(t.group, t.codes, t.z[:, : max(1, t.k - 1)]) for t in small.terms]
    theta = np.random.default_rng(21).normal(size=new.n_theta)
    want = dense(small.y, small.X_kept @ columns, terms, theta, reml=True, weights=small.weights)
    assert_same(new, pls_at(make_engine(new), theta), want, True)


def test_many_pairs_of_entries_are_not_listed_again_for_other_weights():
    s, t = np.divmod(np.arange(110 * 64), 64)
    one = np.ones((len(s), 1))
    y = np.random.default_rng(0).normal(size=len(s))
    problem = make_problem(y, one, [RandomTerm("s", s, one), RandomTerm("t", t, one)])
    engine = engine_for(problem, "PairedCoupling")
    weights = new_weights(len(y))
    changed = engine.with_problem(reweighted(problem, weights))
    assert isinstance(changed.coupling, SparseCoupling)
    theta = np.array([0.7, 1.2])
    want = pls_at(engine_for(problem, "DenseCoupling").with_problem(reweighted(problem, weights)), theta)
    assert pls_at(changed, theta).criterion == pytest.approx(want.criterion, rel=1e-12)
    gradients = [make_criterion(e, True) for e in (changed, engine_for(changed.problem, "DenseCoupling"))]
    found, expected = (c.gradient(c.evaluate(problem.layout.to_block @ theta)) for c in gradients)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
