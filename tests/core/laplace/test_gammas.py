"""Rising factorials of counts, against the sums that they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import digamma, gammaln, polygamma

from mixedsparse.core.likelihood.family.gammas import rising, rising_slopes, stirling


@pytest.mark.parametrize("rows", [3, 200], ids=["each row by itself", "each count once"])
@pytest.mark.parametrize("x", [0.3, 7.0, 80.0])
def test_a_rising_factorial_is_a_sum(x: float, rows: int) -> None:
    y = np.resize([0.0, 4.0, 11.0], rows)
    terms = [x + np.arange(count) for count in y]
    np.testing.assert_allclose(rising(y, x), [np.log(own / x).sum() for own in terms], rtol=1e-11, atol=1e-12)
    wanted = [[(sign * own**-k).sum() for own in terms] for k, sign in ((1.0, 1.0), (2.0, -1.0), (3.0, 2.0))]
    for found, want in zip(rising_slopes(y, x, 3), wanted, strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-8, atol=1e-13)


def test_responses_that_are_no_counts_have_rows_of_their_own() -> None:
    y = np.full(50, 2.5)
    np.testing.assert_allclose(rising(y, 3.0), gammaln(5.5) - gammaln(3.0) - 2.5 * np.log(3.0), rtol=1e-13)
    assert np.isnan(rising(np.full(50, np.nan), 3.0)).all()


@pytest.mark.parametrize("x", [0.7, 12.0])
def test_one_shape_for_all_rows_is_that_of_each(x: float) -> None:
    many, own = stirling(np.full(4, x)), stirling(np.array([x, x + 1.0]))
    for found, each in zip(many, own, strict=True):
        assert found.shape == (4,)
        np.testing.assert_array_equal(found, each[0])
    assert many.value[0] == pytest.approx(x * np.log(x) - x - gammaln(x), rel=1e-13)
    assert many.d1[0] == pytest.approx(np.log(x) - digamma(x), rel=1e-13)
    assert many.d2[0] == pytest.approx(1.0 / x - polygamma(1, x), rel=1e-12)
