"""Adjustments of p-values: the studentized range, the multivariate t, and the stepwise methods."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import studentized_range

import mixedsparse as ms
from mixedsparse.inference.adjust import adjusted_p, check_method, critical_values, range_quantile, range_sf


@pytest.mark.parametrize(
    ("q", "k", "df", "tail", "quantile"),
    [  # R 4.2.2: ptukey(q, k, df, lower.tail=FALSE), qtukey(.95, k, df)
        (3.5, 3, 10.0, 0.0771033108386604, 3.87677674919156),
        (8.0, 4, 12.5, 0.000459581218946736, 4.17371158596455),
        (4.0, 10, np.inf, 0.126852132350911, 4.47412422127307),
    ],
)
def test_studentized_range_as_in_r(q, k, df, tail, quantile):
    assert range_sf(np.array([q]), k, np.array([df]))[0] == pytest.approx(tail, rel=1e-6)
    assert range_quantile(0.95, k, np.array([df]))[0] == pytest.approx(quantile, rel=1e-6)


@pytest.mark.parametrize(("q", "k", "df"), [(5.0, 6, 2.0), (20.0, 4, 3.0), (12.0, 3, 1.3), (6.0, 50, 5.0)])
def test_studentized_range_of_few_degrees_of_freedom(q, k, df):
    assert range_sf(np.array([q]), k, np.array([df]))[0] == pytest.approx(studentized_range.sf(q, k, df), rel=1e-6)


def test_mvt_of_all_pairs_is_tukey():
    k = 4
    eye = np.eye(k)
    differences = np.array([eye[i] - eye[j] for i in range(k) for j in range(i)])
    t, df = np.array([0.5, 1.0, 2.0, 2.5, 3.0, 6.0]), np.full(6, 15.0)
    mvt = {"family": k, "correlation": differences @ differences.T / 2}  # of rank 3
    np.testing.assert_allclose(adjusted_p(t, df, "mvt", **mvt), adjusted_p(t, df, "tukey", family=k), rtol=2e-3)
    wide = critical_values(df, 0.95, "mvt", **mvt)
    np.testing.assert_allclose(wide, critical_values(df, 0.95, "tukey", family=k), rtol=1e-3)


@pytest.mark.parametrize("df", [7.0, np.inf])
def test_mvt_of_independent_normals_is_sidak(df):
    if np.isinf(df):
        p = adjusted_p(np.array([1.0, 2.0, 4.0]), np.full(3, df), "mvt", family=3, correlation=np.eye(3))
        np.testing.assert_allclose(
            p, adjusted_p(np.array([1.0, 2.0, 4.0]), np.full(3, df), "sidak", family=3), rtol=1e-3
        )
    else:  # R: 1 - mvtnorm::pmvt(rep(-x, 3), rep(x, 3), df=10, corr=R)
        R = np.array([[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
        p = adjusted_p(np.array([2.1, 2.5, 1.0]), np.full(3, 10.0), "mvt", family=3, correlation=R)
        np.testing.assert_allclose(p, [0.1499893, 0.07894136, 0.6483637], rtol=1e-3)


def test_stepwise_methods():
    df = np.full(4, np.inf)
    t = np.array([3.0, 2.0, 2.5, 0.1])
    p = adjusted_p(t, df, "none", family=4)
    # R: p.adjust(2 * pnorm(-c(3, 2, 2.5, .1)), method)
    want = {
        "holm": [0.010799184, 0.091000528, 0.037257993, 0.920344325],
        "fdr": [0.010799184, 0.060667019, 0.024838662, 0.920344325],
        "bonferroni": [0.010799184, 0.182001056, 0.049677325, 1.0],
    }
    for method, values in want.items():
        np.testing.assert_allclose(adjusted_p(t, df, method, family=4), values, rtol=1e-6)
    np.testing.assert_allclose(adjusted_p(t, df, "sidak", family=4), 1 - (1 - p) ** 4, rtol=1e-12)


def test_nan_and_single_tests():
    t, df = np.array([2.0, np.nan, 3.0]), np.array([10.0, np.nan, np.nan])
    for method in ("none", "tukey", "holm", "sidak", "dunnettx"):
        p = adjusted_p(t, df, method, family=3)
        assert np.isfinite(p).tolist() == [True, False, False]
        assert np.isfinite(critical_values(df, 0.95, method, family=3)).tolist() == [True, False, False]
    one = adjusted_p(t[:1], df[:1], "tukey", family=2)
    assert one == adjusted_p(t[:1], df[:1], "none", family=2)


def test_unknown_method():
    with pytest.raises(ms.OptionError, match="adjust='scheffe' is not known; use one of 'none', 'tukey'"):
        check_method("scheffe")
