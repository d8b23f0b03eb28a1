"""Rows with several levels, and levels with a known relationship: against dense matrices and differences."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.batch.accuracy import batch_at
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.choose.plan import foresee
from mixedsparse.core.fitting.estimates import conditional_covariances, prediction_error_covariances
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.fitting.identification import unidentified_directions
from mixedsparse.core.likelihood.criterion import EngineCriterion
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.problem.edits import on_rows, reduced_term, reweighted
from mixedsparse.core.problem.problem import Problem, make_problem
from mixedsparse.core.problem.relationship import from_covariance, relationship
from mixedsparse.core.problem.subtraction import without
from mixedsparse.ground.errors import BackendError, DataError
from tests.core.engines import _needs_cholmod
from tests.oracle import dense, related

N, LEVELS = 70, 9
ENGINES = ["split", pytest.param("cholmod", marks=_needs_cholmod)]


def _setting() -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20)
    sender = rng.permutation(np.arange(N) % LEVELS)
    return rng, sender, rng.integers(LEVELS, size=N), rng.normal(size=N)


def precision(levels: int, seed: int = 3) -> np.ndarray:
    """Return a sparse, well-conditioned precision matrix."""
    root = np.random.default_rng(seed).normal(size=(levels, levels))
    root[np.abs(root) < 1.1] = 0.0
    return root @ root.T + np.eye(levels)


def terms_of(kind: str) -> list[RandomTerm]:
    _, sender, receiver, x = _setting()
    ones, none = np.ones(N), np.zeros(N)
    first, second = np.column_stack([ones, none]), np.column_stack([none, ones])
    made = {
        "roles": lambda: RandomTerm("person", [sender, receiver], [first, second]),
        "slopes": lambda: RandomTerm(
            "person",
            [sender, receiver],
            [np.column_stack([ones, x, none, none]), np.column_stack([none, none, ones, x])],
        ),
        "membership": lambda: RandomTerm("school", [sender, receiver], [0.3 * ones, 0.7 * ones]),
        "related": lambda: RandomTerm("animal", receiver, np.column_stack([ones, x]), precision=precision(LEVELS + 3)),
        "related roles": lambda: RandomTerm("animal", [sender, receiver], [first, second], precision=precision(LEVELS)),
        "crossed": lambda: RandomTerm("item", np.arange(N) % 13, np.column_stack([ones, x])),
        "same": lambda: RandomTerm("same", receiver, ones),
    }
    return [made[name]() for name in kind.split(" + ")]


KINDS = [
    "roles",
    "slopes",
    "membership",
    "related",
    "related roles",
    "roles + crossed",
    "membership + crossed",
    "related + crossed + same",
    "roles + related + crossed",
]


def problem_of(
    terms: list[RandomTerm], weighted: bool = False
) -> tuple[Problem, np.ndarray, np.ndarray, np.ndarray | None]:
    rng, sender, receiver, x = _setting()
    X = np.column_stack([np.ones(N), x])
    effects = rng.normal(size=(LEVELS, 2)) @ np.array([[1.0, 0.4], [0.0, 0.8]])
    y = x + effects[sender, 0] + effects[receiver, 1] + rng.normal(size=N)
    weights = rng.uniform(0.5, 2.0, size=N) if weighted else None
    return make_problem(y, X, terms, weights), y, X, weights


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_criterion_gradient_and_modes_equal_dense_matrices(kind: str, reml: bool, weighted: bool, backend: str) -> None:
    terms = terms_of(kind)
    problem, y, X, weights = problem_of(terms, weighted)
    theta = np.random.default_rng(5).normal(size=problem.n_theta)
    criterion = EngineCriterion(make_engine(problem, backend), reml)
    inner = problem.layout.to_block @ theta
    point = criterion.evaluate(inner)
    expected = dense(y, X, terms, theta, reml=reml, weights=weights)
    assert point.criterion == pytest.approx(expected.criterion, rel=1e-12)
    np.testing.assert_allclose(problem.basis.beta(point.gamma), expected.beta, rtol=1e-10)
    np.testing.assert_allclose(point.pwrss / problem.degrees(reml), expected.sigma2, rtol=1e-10)

    found = criterion.gradient(point)
    step = 1e-4 * np.eye(len(theta))

    def difference(h: np.ndarray) -> float:
        return float(criterion.evaluate(inner + h).criterion - criterion.evaluate(inner - h).criterion)

    slopes = [(8 * difference(h) - difference(2 * h)) / 12e-4 for h in step]
    np.testing.assert_allclose(found, slopes, atol=1e-7 * np.abs(slopes).max())


@pytest.mark.parametrize("kind", ["roles", "slopes", "membership + crossed"])
def test_hessian_of_several_levels_per_row_is_exact(kind: str) -> None:
    problem, *_ = problem_of(terms_of(kind))
    criterion = EngineCriterion(make_engine(problem, "split"), True)
    theta = problem.layout.to_block @ np.random.default_rng(6).normal(size=problem.n_theta)
    found = criterion.differentiate(criterion.evaluate(theta), exact=True)
    assert found.kind == "exact"
    expected = observed_hessian(lambda at: criterion.gradient(criterion.evaluate(at)), theta)
    np.testing.assert_allclose(found.hessian, expected, atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("kind", ["roles", "related", "roles + related + crossed"])
def test_fit_has_the_modes_and_variances_of_dense_matrices(kind: str, backend: str) -> None:
    terms = terms_of(kind)
    problem, y, X, _ = problem_of(terms)
    fit = fit_problem(make_engine(problem, backend), True)
    assert fit.certificate.converged
    expected = dense(y, X, terms, fit.theta, reml=True)
    assert fit.criterion == pytest.approx(expected.criterion, rel=1e-12)
    np.testing.assert_allclose(fit.cov_beta, expected.cov_beta, rtol=1e-9)
    for mine, theirs in zip(fit.modes, expected.modes, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    for mine, theirs in zip(conditional_covariances(problem, fit), expected.cov_modes, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_prediction_errors_are_those_of_the_mixed_model_equations() -> None:
    terms = terms_of("related")
    problem, _, X, _ = problem_of(terms)
    fit = fit_problem(make_engine(problem, "split"), True)
    Sigma = fit.sigma2 * np.kron(related(terms[0]), fit.templates[0] @ fit.templates[0].T)
    Z = np.zeros((N, len(Sigma)))
    for level in range(terms[0].n_levels):
        Z[:, 2 * level : 2 * level + 2] = terms[0].z * (terms[0].codes == level)[:, None]
    both = np.hstack([X, Z])
    equations = both.T @ both / fit.sigma2
    equations[2:, 2:] += np.linalg.inv(Sigma)
    errors = np.linalg.inv(equations)[2:, 2:].reshape(terms[0].n_levels, 2, terms[0].n_levels, 2)
    (found,) = prediction_error_covariances(problem, fit)
    np.testing.assert_allclose(found, np.einsum("iaib->iab", errors), atol=1e-9)


def test_one_slot_and_an_identity_as_precision_change_nothing() -> None:
    _, _, receiver, x = _setting()
    z = np.column_stack([np.ones(N), x])
    plain = RandomTerm("g", receiver, z)
    for other in (
        RandomTerm("g", [receiver], [z]),
        RandomTerm("g", receiver, z, precision=np.eye(LEVELS)),
        RandomTerm("g", [receiver, receiver], [0.25 * z, 0.75 * z]),
    ):
        one, two = (fit_problem(make_engine(problem_of([t])[0], "split"), True) for t in (plain, other))
        assert two.criterion == pytest.approx(one.criterion, rel=1e-13)
        np.testing.assert_allclose(
            two.templates[0] @ two.templates[0].T, one.templates[0] @ one.templates[0].T, rtol=1e-6
        )
        np.testing.assert_allclose(two.modes[0], one.modes[0], atol=1e-7)
    assert RandomTerm("g", [receiver], [z]).is_plain


def test_independent_roles_are_two_terms() -> None:
    _, sender, receiver, _ = _setting()
    terms = terms_of("roles")
    two = [RandomTerm("sender", sender, np.ones(N)), RandomTerm("receiver", receiver, np.ones(N))]
    for theta in ([0.7, 0.0, 1.2], [0.0, 0.0, 0.4]):
        values = []
        for chosen, at in ((terms, theta), (two, [theta[0], theta[2]])):
            problem = problem_of(chosen)[0]
            criterion = EngineCriterion(make_engine(problem, "split"), True)
            values.append(criterion.evaluate(problem.layout.to_block @ np.array(at)).criterion)
        assert values[0] == pytest.approx(values[1], rel=1e-13)


def test_order_of_rows_does_not_matter() -> None:
    terms = terms_of("roles + related + crossed")
    problem, y, X, _ = problem_of(terms)
    order = np.random.default_rng(8).permutation(N)
    shuffled = make_problem(y[order], X[order], [on_rows(term, order) for term in terms])
    one, two = (fit_problem(make_engine(p, "split"), True) for p in (problem, shuffled))
    assert two.criterion == pytest.approx(one.criterion, rel=1e-12)
    np.testing.assert_allclose(two.beta, one.beta, rtol=1e-6)


@pytest.mark.parametrize("kind", ["roles + crossed", "related roles", "related + crossed + same"])
def test_edited_problems_keep_the_pattern(kind: str) -> None:
    terms = terms_of(kind)
    problem, y, X, _ = problem_of(terms)
    theta = np.random.default_rng(9).normal(size=problem.n_theta)
    weights = np.random.default_rng(10).uniform(0.5, 2.0, size=N)
    gone = np.array([0, 5, 17])
    left = np.delete(np.arange(N), gone)
    for changed, rows, w in (
        (reweighted(problem, weights), np.arange(N), weights),
        (without(problem, gone), left, None),
    ):
        expected = dense(y[rows], X[rows], [_kept(t, rows) for t in terms], theta, reml=False, weights=w)
        for backend in ("split", "auto"):
            engine = make_engine(problem, backend).with_problem(changed)
            at = EngineCriterion(engine, False).evaluate(problem.layout.to_block @ theta)
            assert at.criterion == pytest.approx(expected.criterion, rel=1e-11)
    blocks = reweighted(problem, weights).blocks
    for block, other in zip(blocks, problem.blocks, strict=True):
        np.testing.assert_allclose(block.z.reshape(N, -1), other.z.reshape(N, -1) * np.sqrt(weights)[:, None])


def _kept(term: RandomTerm, rows: np.ndarray) -> RandomTerm:
    """Return the term on some rows, all of its levels kept."""
    P = term.precision if term.precision is not None else relationship(np.eye(term.n_levels), "")
    return RandomTerm(term.group, term.codes[rows], term.z[rows], term.columns, term.levels, precision=P)


@pytest.mark.parametrize("kind", ["roles + crossed", "related", "related roles"])
def test_batches_take_them_one_by_one(kind: str) -> None:
    problem, *_ = problem_of(terms_of(kind))
    engine = make_engine(problem, "split")
    fit = fit_problem(engine, True)
    batch, error = batch_at(engine, fit.templates, float(np.sqrt(fit.sigma2)), fit.criterion, True)
    assert not batch.together
    assert error < 1e-8


def test_directions_that_no_data_tell_are_found() -> None:
    _, _, receiver, _ = _setting()
    terms = [RandomTerm("a", receiver, np.ones(N), precision=np.eye(LEVELS)), RandomTerm("b", receiver, np.ones(N))]
    assert unidentified_directions(make_engine(problem_of(terms)[0], "split")).shape[1] == 1
    terms[0] = RandomTerm("a", receiver, np.ones(N), precision=precision(LEVELS))
    assert unidentified_directions(make_engine(problem_of(terms)[0], "split")).shape[1] == 0
    # One row per level, unrelated: it cannot be told from the residual.
    terms = [RandomTerm("a", np.arange(N), np.ones(N), precision=2.0 * np.eye(N))]
    assert unidentified_directions(make_engine(problem_of(terms)[0], "split")).shape[1] == 1


def test_the_same_level_twice_in_a_row_adds_up() -> None:
    codes = np.repeat(np.arange(LEVELS), 8)[:N]
    twice = RandomTerm("g", [codes, codes], [0.4 * np.ones(N), 0.6 * np.ones(N)])
    once = RandomTerm("g", codes, np.ones(N))
    values = []
    for term in (twice, once):
        problem, *_ = problem_of([term])
        criterion = EngineCriterion(make_engine(problem, "split"), True)
        values.append(criterion.evaluate(problem.layout.to_block @ np.array([0.8])).criterion)
    assert values[0] == pytest.approx(values[1], rel=1e-13)


def test_draws_have_the_covariance_of_the_relationship() -> None:
    P = precision(6)
    known = relationship(P, "g")
    half = known.draw(np.eye(6))
    np.testing.assert_allclose(half @ half.T, np.linalg.inv(P), atol=1e-12)
    np.testing.assert_allclose(known.times(P), np.eye(6), atol=1e-12)
    np.testing.assert_allclose(known.diagonal, np.diag(np.linalg.inv(P)), atol=1e-12)
    assert known.log_det == pytest.approx(np.linalg.slogdet(P)[1], rel=1e-12)
    sparse_one = relationship(np.diag(np.arange(1.0, 41.0)) + 0.3 * np.eye(40, k=1) + 0.3 * np.eye(40, k=-1), "g")
    half = sparse_one.draw(np.eye(40))
    np.testing.assert_allclose(half @ half.T, np.linalg.inv(sparse_one.precision.toarray()), atol=1e-12)
    assert sparse_one.log_det == pytest.approx(np.linalg.slogdet(sparse_one.precision.toarray())[1], rel=1e-12)


def test_wrong_matrices_and_slots_are_refused() -> None:
    codes, z = np.arange(4) % 2, np.ones((4, 1))
    with pytest.raises(DataError, match="not positive definite"):
        relationship(np.array([[1.0, 2.0], [2.0, 1.0]]), "g")
    with pytest.raises(DataError, match="not symmetric"):
        relationship(np.array([[1.0, 0.5], [0.0, 1.0]]), "g")
    with pytest.raises(DataError, match="must be square"):
        relationship(np.ones((2, 3)), "g")
    with pytest.raises(DataError, match="nearest"):
        from_covariance(np.ones((2, 2)), "g")
    with pytest.raises(DataError, match="precision matrix of 3 levels"):
        RandomTerm("g", codes, z, levels=np.arange(2), precision=np.eye(3))
    with pytest.raises(DataError, match="must agree"):
        RandomTerm("g", [codes, codes[:2]], [z, z])
    with pytest.raises(DataError, match="do not occur"):
        RandomTerm("g", [codes, codes], [z, z], levels=np.arange(5))
    with pytest.raises(DataError, match="drawn several times"):
        on_rows(RandomTerm("g", codes, z, precision=np.eye(2)), np.arange(4), np.zeros(4, dtype=int))


def test_iterative_fits_refuse_them_and_auto_never_takes_one() -> None:
    problem, *_ = problem_of(terms_of("roles + crossed"))
    with pytest.raises(BackendError, match="method='direct'"):
        make_engine(problem, method="iterative")
    assert foresee(problem).method == "direct"
    assert reduced_term(problem.terms[1], np.ones((2, 1))).z.shape == (N, 2, 1)
