"""Problems from sums equal problems from rows."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.fixed import make_basis
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.core.problem.sums import Aggregates, aggregated_problem, root_of
from mixedsparse.core.problem.terms import RandomTerm

# Sums in another order differ in the last digits.
CLOSE = 1e-9


def test_root_reproduces_its_gram():
    columns = np.random.default_rng(1).normal(size=(50, 4))
    columns[:, 2] = 3.0 * columns[:, 0] - columns[:, 1]
    gram = columns.T @ columns
    root = root_of(gram)
    np.testing.assert_allclose(root.T @ root, gram, atol=1e-10)
    assert not root[2].any()
    np.testing.assert_array_equal(root, np.triu(root))


def test_dropped_columns_are_combinations_of_the_kept_ones():
    x = np.random.default_rng(3).normal(size=(30, 2))
    X = np.column_stack([np.ones(30), x, 2.0 + x[:, 0] - 3.0 * x[:, 1]])
    basis = make_basis(X, x[:, 0] ** 2)
    assert basis.kept.tolist() == [0, 1, 2]
    np.testing.assert_allclose(X[:, basis.kept] @ basis.alias, X[:, [3]], atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_problem_from_sums(mean, weighted):
    rng = np.random.default_rng(4)
    n, levels = 300, 12
    g, x = np.sort(rng.integers(0, levels, n)), rng.normal(size=n)
    y = mean + rng.normal(size=levels)[g] * (1.0 + 0.5 * x) + rng.normal(size=n)
    w = rng.uniform(0.5, 2.0, n) if weighted else np.ones(n)
    far = x + mean
    X, z = np.column_stack([np.ones(n), far]), np.column_stack([np.ones(n), far])
    wanted = make_problem(y, X, [RandomTerm("g", g, z)], w if weighted else None)

    v = (y - mean) / 2.0
    U, left = np.column_stack([np.ones(n), x, v]), np.column_stack([np.ones(n), x])
    grams = np.stack([(left[g == i] * w[g == i, None]).T @ left[g == i] for i in range(levels)])
    sums = np.stack([(left[g == i] * w[g == i, None]).T @ U[g == i] for i in range(levels)])
    found = aggregated_problem(
        Aggregates(
            n=n,
            terms=(RandomTerm.without_rows("g", ("Intercept", "x"), np.arange(levels)),),
            order=(0,),
            owner=(0,),
            maps=(np.array([[1.0, mean], [0.0, 1.0]]),),
            products=(U * w[:, None]).T @ U,
            columns=np.array([[1.0, mean, mean], [0.0, 1.0, 0.0], [0.0, 0.0, 2.0]]),
            intercept=0,
            grams=(grams,),
            sums=(sums,),
            pairs={},
            sum_log_weights=float(np.log(w).sum()) if weighted else None,
        )
    )
    assert not found.has_rows
    assert found.basis.q is ELSEWHERE
    assert wanted.has_rows
    one, other = (fit_problem(make_engine(problem), True) for problem in (found, wanted))
    assert one.criterion == pytest.approx(other.criterion, rel=CLOSE)
    assert one.sigma2 == pytest.approx(other.sigma2, rel=1e-6)
    np.testing.assert_allclose(one.beta[1], other.beta[1], rtol=1e-6)
