"""Which steps are taken, how far the next may go and when it is over: of one search as of many."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.newton.control import ends, judge

# Gain, promise, noise, length of the step, whether the radius limited it, radius; whether it is taken, next radius.
STEPS = [
    (0.9, 1.0, 1e-9, 2.0, True, 2.0, True, 6.0),
    (0.9, 1.0, 1e-9, 0.5, False, 2.0, True, 2.0),
    (0.5, 1.0, 1e-9, 2.0, True, 2.0, True, 2.0),
    (0.1, 1.0, 1e-9, 1.6, False, 2.0, True, 0.4),
    (-1.0, 1.0, 1e-9, 1.6, False, 2.0, False, 0.4),
    (-np.inf, 1.0, 1e-9, 2.0, True, 2.0, False, 0.5),
    (np.nan, 1.0, 1e-9, 2.0, True, 2.0, False, 0.5),
    # Nothing that noise hides speaks against a step, or for a shorter one.
    (-5e-9, 5e-9, 1e-9, 0.1, False, 2.0, True, 2.0),
    (1e-10, 5e-9, 1e-9, 0.1, False, 2.0, True, 2.0),
    (-5e-8, 5e-9, 1e-9, 0.1, False, 2.0, False, 0.025),
]


@pytest.mark.parametrize("row", STEPS)
def test_steps_are_judged_by_what_they_promised(row):
    *step, taken, radius = row
    got = judge(*step)
    assert bool(got[0]) is taken
    assert got[1] == pytest.approx(radius, rel=1e-15)


def test_many_searches_are_judged_as_each_alone():
    columns = [np.array(column) for column in zip(*STEPS, strict=True)]
    taken, radius = judge(*columns[:6])
    np.testing.assert_array_equal(taken, columns[6])
    np.testing.assert_allclose(radius, columns[7], rtol=1e-15)


def test_a_radius_that_shrank_to_nothing_is_no_convergence():
    promised, limited, radius = np.array([1e-12, 1e-12, 1.0]), np.array([True, False, False]), np.array([1e-9, 1e-9, 1])
    stuck, near = ends(promised, 1e-10, limited, radius)
    np.testing.assert_array_equal(stuck, [True, False, False])
    np.testing.assert_array_equal(near, [False, True, False])
    assert [
        tuple(map(bool, ends(p, 1e-10, bool(c), r))) for p, c, r in zip(promised, limited, radius, strict=True)
    ] == [
        (True, False),
        (False, True),
        (False, False),
    ]
