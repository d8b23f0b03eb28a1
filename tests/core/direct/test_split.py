"""The split: the rest kept small or made in place, and the dense pieces that derivatives share."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.engines.split.schur import symmetrized
from mixedsparse.core.likelihood.derivatives import differentiate
from mixedsparse.core.likelihood.pls import solve_pls
from mixedsparse.ground.limits import Limits
from tests.core.engines import SPLITS, engine_for
from tests.models import make, random_theta

TOL = 1e-10


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOL * max(1.0, np.abs(expected).max()))


def factorized(name, kind, *, zeros=False):
    """Engine of a small design, and its factor at some theta of the whitened bases."""
    small = make(name, seed=40)
    engine = engine_for(small.problem(), kind)
    layout = engine.problem.layout
    theta = layout.to_block @ random_theta(small, seed=41, zeros=zeros)
    return engine, engine.factorize(layout.lams(theta))


@pytest.mark.parametrize("size", [1, 5, 64, 65, 200])
@pytest.mark.parametrize("in_place", [True, False])
def test_symmetrized_reads_the_lower_triangle_only(size, in_place):
    full = np.random.default_rng(size).normal(size=(size, size))
    lower = full.copy()
    out = symmetrized(lower, out=lower if in_place else None)
    np.testing.assert_array_equal(out, np.tril(full) + np.tril(full, -1).T)
    assert (out is lower) == in_place


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("name", ["crossed", "crossed_slopes", "three_factors", "two_terms_per_factor", "scattered"])
def test_a_large_rest_gives_what_a_small_one_does(name, kind, zeros):
    engine, small = factorized(name, kind, zeros=zeros)
    engine.limits = Limits(kept_schur=0)
    large = engine.factorize(small.lams)
    assert not engine.keeps_schur
    assert large.logdet == pytest.approx(small.logdet, rel=1e-12)
    for pieces in zip(large.traces(), small.traces(), strict=True):
        close(*pieces)
    for pieces in zip(large.conditional_covariances(), small.conditional_covariances(), strict=True):
        close(*pieces)
    close(large.schur(), small.schur())
    close(large.covariance(), small.covariance())


@pytest.mark.parametrize("kind", SPLITS)
def test_an_inverse_that_was_taken_is_computed_again(kind):
    _, factor = factorized("crossed_slopes", kind)
    before = factor.inverse().copy()
    written = factor.scaled_projection([np.empty((*v.shape[:2], 0)) for v in factor.engine.problem.Zxy])
    written.matrix[:] = np.nan
    close(factor.inverse(), before)


@pytest.mark.parametrize("kind", SPLITS)
@pytest.mark.parametrize("name", ["crossed", "crossed_slopes", "three_factors"])
def test_rows_of_the_coupling_whitened_give_the_diagonal_blocks(name, kind):
    engine, factor = factorized(name, kind)
    rows = factor.whitened()
    blocks = engine.coupling.quadratic(factor.inverse(), factor.lams)
    close(rows @ rows.swapaxes(1, 2), blocks)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("name", ["crossed", "crossed_slopes", "three_factors"])
def test_second_derivatives_that_are_said_to_be_known_are_exact(name, reml):
    engine, factor = factorized(name, "SparseCoupling")
    pls = solve_pls(engine.problem, factor, reml)
    expected = differentiate(engine, pls)
    engine.limits = Limits(written=0, copied=1)
    partial = differentiate(engine, pls)
    assert (expected.kind, partial.kind) == ("exact", "average information")
    assert partial.known.any()
    close(partial.hessian[partial.known], expected.hessian[partial.known])
