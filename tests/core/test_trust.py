"""One trust-region step: Newton inside, the boundary outside, out of a saddle, along a flat direction."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.newton.trust import Step, trust_step

# The shift that meets the radius is found to 1e-6 of itself, which moves the length of the step by more.
RADIUS_REL = 1e-3


def step(gradient: list[float], hessian: list[list[float]] | np.ndarray, radius: float) -> Step:
    return trust_step(np.array(gradient), np.array(hessian), radius)


def fall(gradient: np.ndarray, hessian: np.ndarray, move: np.ndarray) -> float:
    return -float(gradient @ move + 0.5 * move @ hessian @ move)


def test_newton_step_inside_the_radius():
    got = step([1.0, -2.0], [[2.0, 0.0], [0.0, 4.0]], 10.0)
    np.testing.assert_allclose(got.move, [-0.5, 0.5])
    assert (got.limited, got.lowest) == (False, 2.0)
    assert got.predicted == pytest.approx(0.5 * got.scaled_gradient**2) == pytest.approx(0.75)


@pytest.mark.parametrize("radius", [1e-6, 0.1, 1.0, 100.0])
@pytest.mark.parametrize("seed", range(10))
def test_no_point_of_the_region_is_lower(seed, radius):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4))
    hessian, gradient = root + root.T, rng.normal(size=4)
    got = trust_step(gradient, hessian, radius)
    assert np.linalg.norm(got.move) <= radius * (1 + RADIUS_REL)
    assert got.predicted == pytest.approx(fall(gradient, hessian, got.move), rel=1e-9)
    others = rng.normal(size=(2000, 4))
    others *= radius * rng.random((2000, 1)) / np.linalg.norm(others, axis=1, keepdims=True)
    assert max(fall(gradient, hessian, other) for other in others) <= got.predicted * (1 + RADIUS_REL)


def test_a_saddle_without_gradient_is_left():
    got = step([0.0, 0.0], [[1.0, 0.0], [0.0, -1.0]], 0.5)
    np.testing.assert_allclose(np.abs(got.move), [0.0, 0.5])
    assert got.predicted == pytest.approx(0.125)
    assert (got.limited, got.lowest) == (True, -1.0)


def test_hard_case():
    # No gradient along the negative curvature: the step solves the rest and fills up the radius.
    got = step([1.0, 0.0], [[3.0, 0.0], [0.0, -1.0]], 2.0)
    assert got.move[0] == pytest.approx(-0.25)
    assert np.linalg.norm(got.move) == pytest.approx(2.0)


def test_a_flat_direction_is_not_walked():
    got = step([1.0, 0.0], [[1.0, 0.0], [0.0, 0.0]], 5.0)
    np.testing.assert_allclose(got.move, [-1.0, 0.0], atol=1e-8)
    assert not got.limited


def test_negative_curvature_that_dwarfs_the_gradient():
    # The shift of the eigenvalues is then lost in rounding; the step must still come back.
    hessian = np.diag([-4.1e9, 2.6e3, 7.1e9])
    for gradient in np.geomspace(1e-12, 1e6, 30):
        got = trust_step(np.array([gradient, -gradient, gradient / 3]), hessian, 1e-3)
        assert np.isfinite(got.move).all()
        assert np.linalg.norm(got.move) < 2e-3
