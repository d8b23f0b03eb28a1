"""Stochastic traces: without bias, with honest errors, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.ground.limits import LIMITS, Limits
from tests.models import DESIGNS, make, random_theta

BATCHES = 60


# Small designs are solved exactly by the coarse space, unless that is kept small.
ITERATED = Limits(exact_coarse=0)


def estimates(name: str, *, zeros: bool, seed: int = 0, batches: int = BATCHES, limits: Limits = ITERATED):
    small = make(name, seed=50)
    problem = small.problem()
    factors = problem.layout.lams(problem.layout.to_block @ random_theta(small, seed=51, zeros=zeros))
    return problem, factors, KrylovEngine(problem, seed, batches, limits).factorize(factors)


@pytest.mark.parametrize("zeros", [False, True], ids=["interior", "boundary"])
@pytest.mark.parametrize("name", DESIGNS)
def test_traces_agree_with_the_split_within_their_error(name, zeros):
    problem, factors, factor = estimates(name, zeros=zeros)
    exact = make_engine(problem, "split").factorize(factors).traces()
    found = factor.estimate()
    for want, mean, samples, lam in zip(exact, found.means, found.samples, factors, strict=True):
        error = (samples @ lam).std(axis=0) / np.sqrt(len(samples))
        # 4.5 standard errors: some 150 numbers are compared. 1e-5: accuracy of the solutions.
        assert (np.abs(mean @ lam - want) <= 4.5 * error + 1e-5 * np.abs(want).max()).all()


@pytest.mark.parametrize("pivot", [1e-7, 1e-3, 0.05])
def test_short_pivots_do_not_blow_up_the_error(pivot):
    # The second effect of the rest hardly varies: dividing by its length would leave noise of 1 / pivot.
    problem, _, _ = estimates("crossed_slopes", zeros=False)
    lam = np.array([[0.8, 0.0], [0.3, pivot]])
    factors = [np.array([[0.9, 0.0], [0.2, 0.7]]), lam]
    found = KrylovEngine(problem, 0, 20, ITERATED).factorize(factors).estimate()
    exact = make_engine(problem, "split").factorize([factors[0], np.array([[0.8, 0.0], [0.3, 1.0]])])
    typical = np.linalg.solve(np.array([[0.8, 0.0], [0.3, 1.0]]).T, exact.traces()[1].T).max()
    assert found.samples[1].std(axis=0).max() < typical


def test_small_rests_have_no_error():
    problem, factors, factor = estimates("crossed_slopes", zeros=False, batches=1, limits=LIMITS)
    for mine, want in zip(factor.traces(), make_engine(problem, "split").factorize(factors).traces(), strict=True):
        np.testing.assert_allclose(mine, want, rtol=1e-9, atol=1e-9)


def test_probes_depend_on_the_seed_and_on_their_number_only():
    _, _, few = estimates("crossed", zeros=False, seed=3, batches=1)
    _, _, many = estimates("crossed", zeros=False, seed=3, batches=2)
    _, _, other = estimates("crossed", zeros=False, seed=4, batches=1)
    for a, b, c in zip(few.estimate().samples, many.estimate().samples, other.estimate().samples, strict=True):
        np.testing.assert_array_equal(a, b[: len(a)])
        assert not np.array_equal(a, c)


def test_more_probes_keep_those_that_are_solved():
    _, _, factor = estimates("crossed", zeros=False, batches=1)
    first = factor.estimate()
    solves = factor.engine.effort.solves
    factor.engine.probes.batches = 2
    second = factor.estimate()
    assert factor.engine.effort.solves - solves == factor.engine.probes.number - len(first.samples[0])
    np.testing.assert_array_equal(first.samples[0], second.samples[0][: len(first.samples[0])])
