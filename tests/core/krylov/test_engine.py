"""The engine without a factorisation against the split: solutions, products, variances; iterations on hard graphs."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.krylov.conjugate import conjugate_gradients
from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.core.engines.krylov.system import PairProduct
from mixedsparse.ground.errors import BackendError, NotPositiveDefiniteError
from mixedsparse.ground.limits import LIMITS, Limits
from tests.core.krylov.graphs import GRAPHS, graph
from tests.models import DESIGNS, make, random_theta

# Residuals are 1e-9 of the right-hand side in the norm of the preconditioner.
SOLVE_TOL = 1e-7
# Iterations that the preconditioner must not exceed on any graph, to the accuracy that probes need.
MOST_ITERATIONS = 45


def both(name: str, *, zeros: bool = False, batches: int = 1, limits: Limits = LIMITS):
    small = make(name, seed=40)
    problem = small.problem()
    factors = problem.layout.lams(problem.layout.to_block @ random_theta(small, seed=41, zeros=zeros))
    iterative = KrylovEngine(problem, 0, batches, limits)
    return make_engine(problem, "split").factorize(factors), iterative.factorize(factors)


def random_vectors(problem, columns: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    layout = problem.layout
    return [rng.normal(size=(n, k, columns)) for n, k in zip(layout.n_levels, layout.widths, strict=True)]


@pytest.fixture(params=[True, False], ids=["exact coarse space", "iterated"])
def coarse(request):
    """Limits; small designs are solved by the coarse space alone, unless that is kept small."""
    return LIMITS if request.param else Limits(exact_coarse=0)


@pytest.mark.parametrize("zeros", [False, True], ids=["interior", "boundary"])
@pytest.mark.parametrize("name", DESIGNS)
def test_solutions_are_those_of_the_split(name, zeros, coarse):
    direct, iterative = both(name, zeros=zeros, limits=coarse)
    vectors = random_vectors(iterative.engine.problem, 20, seed=42)
    for mine, want in zip(iterative.solve(vectors), direct.solve(vectors), strict=True):
        for a, b in zip(mine, want, strict=True):
            np.testing.assert_allclose(a, b, atol=SOLVE_TOL * max(np.abs(b).max(), 1.0))
    for a, b in zip(iterative.project(vectors), direct.project(vectors), strict=True):
        np.testing.assert_allclose(a, b, atol=SOLVE_TOL * np.abs(b).max())


@pytest.mark.parametrize("name", DESIGNS)
def test_products_with_the_cross_products(name):
    direct, iterative = both(name)
    vectors = random_vectors(iterative.engine.problem, 3, seed=43)
    for a, b in zip(iterative.engine.times(vectors), direct.engine.times(vectors), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("name", ["nested", "crossed_slopes", "three_factors", "two_terms_per_factor", "weighted"])
def test_conditional_covariances_of_chosen_levels(name):
    direct, iterative = both(name)
    for b, want in enumerate(direct.conditional_covariances()):
        levels = np.array([len(want) - 1, 0, 1])
        found = iterative.conditional_covariance_of(b, levels)
        np.testing.assert_allclose(found, want[levels], atol=SOLVE_TOL)


def test_conditional_covariances_of_all_levels_are_refused():
    with pytest.raises(BackendError, match="Ask for chosen levels"):
        both("crossed")[1].conditional_covariances()


def test_coupling_of_ones_shares_the_arrays_of_the_problem():
    pairs = graph("pieces").pairs[0, 1]
    narrow = type(pairs)(pairs.indptr, pairs.indices.astype(np.int32), np.ones_like(pairs.data), pairs.n_columns)
    coupling = PairProduct.of(narrow)
    assert coupling.values is None
    assert coupling.indices is narrow.indices
    assert coupling.transposed(pairs.n_columns).values is None


@pytest.mark.parametrize("sd", [1.0, 5.0])
@pytest.mark.parametrize("name", GRAPHS)
def test_few_iterations_on_hard_graphs(name, sd):
    problem = graph(name, sd)
    engine = KrylovEngine(problem)
    theta = np.where(problem.layout.is_diagonal, sd, 0.0)
    factor = engine.factorize(problem.layout.lams(theta))
    if not engine.enriched:
        factor.enrich()
    engine.effort.worst = 0
    factor.invert_probes(engine.probes.draw(0))
    assert engine.effort.worst <= MOST_ITERATIONS


@pytest.mark.parametrize("name", ["crossed", "crossed_slopes", "three_factors", "two_terms_per_factor"])
def test_log_determinant_within_its_error(name, coarse):
    direct, iterative = both(name, batches=8, limits=coarse)
    value, error = iterative.log_determinant()
    assert value == pytest.approx(direct.logdet, abs=max(4 * error, 1e-6))


def test_log_determinant_of_a_single_factor_is_exact():
    direct, iterative = both("slopes")
    assert iterative.log_determinant() == (pytest.approx(direct.logdet, rel=1e-12), 0.0)


def test_an_indefinite_system_is_an_error():
    with pytest.raises(NotPositiveDefiniteError, match="not positive definite"):
        conjugate_gradients(lambda x: -x, lambda x: x, np.ones((4, 2)), 1e-6)
    with pytest.raises(NotPositiveDefiniteError, match="not finite"):
        conjugate_gradients(lambda x: x, lambda x: x, np.full((4, 2), np.nan), 1e-6)


def test_an_iteration_that_does_not_end_is_an_error():
    diagonal = np.linspace(1.0, 1e6, 50)[:, None]
    with pytest.raises(NotPositiveDefiniteError, match="did not converge in 3 iterations"):
        conjugate_gradients(lambda x: diagonal * x, lambda x: x, np.ones((50, 1)), 1e-12, max_iterations=3)


def test_an_iteration_that_does_not_end_still_gives_a_quadrature():
    """The criterion, which is computed last and without the coarse space, does not cost the fit."""
    diagonal = np.linspace(1.0, 1e6, 50)[:, None]
    found = conjugate_gradients(
        lambda x: diagonal * x, lambda x: x, np.ones((50, 1)), 1e-12, coefficients=True, max_iterations=3
    )
    assert len(found.alphas) == len(found.betas) == found.iterations == 3


def test_columns_that_are_solved_already_cost_nothing():
    rhs = np.column_stack([np.zeros(5), np.arange(1.0, 6.0)])
    diagonal = np.linspace(1.0, 2.0, 5)[:, None]
    found = conjugate_gradients(lambda x: diagonal * x, lambda x: x, rhs, 1e-12)
    np.testing.assert_allclose(found.x, rhs / diagonal, atol=1e-12)
