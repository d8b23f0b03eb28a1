"""Entries of the covariances: the chain rule to theta against differences and against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.problem.entries import bend, jacobian, symmetric, times_moves, times_slopes, times_units
from tests.models import DESIGNS, make, random_theta

STEP = 1e-6


def case(name: str):
    """Layout of a small design, and theta of the whitened bases."""
    small = make(name, seed=70)
    layout = small.problem().layout
    return layout, layout.to_block @ random_theta(small, seed=71)


def entries(layout, theta):
    return layout.gather([lam @ lam.T for lam in layout.lams(theta)])


@pytest.mark.parametrize("name", DESIGNS)
def test_jacobian_is_that_of_the_entries(name):
    layout, theta = case(name)
    moves = STEP * np.eye(len(theta))
    want = [(entries(layout, theta + move) - entries(layout, theta - move)) / (2 * STEP) for move in moves]
    np.testing.assert_allclose(jacobian(layout, layout.lams(theta)), np.array(want).T, atol=1e-8)


@pytest.mark.parametrize("name", DESIGNS)
def test_bend_is_the_second_derivative_of_a_linear_function_of_the_entries(name):
    layout, theta = case(name)
    rng = np.random.default_rng(72)
    scores = [(lambda G: G + G.T)(rng.normal(size=(k, k))) for k in layout.widths]
    g = layout.gather(scores) * layout.multiplicity

    def slope(at):
        return jacobian(layout, layout.lams(at)).T @ g

    want = [(slope(theta + move) - slope(theta - move)) / (2 * STEP) for move in STEP * np.eye(len(theta))]
    np.testing.assert_allclose(bend(layout, scores), want, atol=1e-7)


@pytest.mark.parametrize("name", DESIGNS)
def test_products_with_units_and_slopes_follow_their_definitions(name):
    layout, theta = case(name)
    rng = np.random.default_rng(73)
    vectors = [rng.normal(size=(n, k)) for n, k in zip(layout.n_levels, layout.widths, strict=True)]
    lams = layout.lams(theta)
    units, slopes = times_units(layout, vectors), times_slopes(layout, lams, vectors)
    moves = rng.normal(size=(len(theta), 2))
    for moved, unit in zip(times_moves(layout, vectors, moves), units, strict=True):
        np.testing.assert_allclose(moved, unit @ moves, atol=1e-12)
    for i, (b, row, col) in enumerate(zip(layout.block, layout.row, layout.col, strict=True)):
        one = np.zeros(len(theta))
        one[i] = 1.0
        np.testing.assert_array_equal(symmetric(layout, b, one), layout.units[b][list(layout.members[b]).index(i)])
        pattern = np.zeros_like(lams[b])
        pattern[row, col] = 1.0
        moved = pattern @ lams[b].T
        for s, vector in enumerate(vectors):
            unit, slope = (
                (symmetric(layout, b, one), moved + moved.T) if s == b else (0.0 * np.eye(layout.widths[s]),) * 2
            )
            np.testing.assert_allclose(units[s][:, :, i], vector @ unit, atol=1e-15)
            np.testing.assert_allclose(slopes[s][:, :, i], vector @ slope, atol=1e-13)
