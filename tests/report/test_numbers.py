"""Numbers to cells."""

from __future__ import annotations

import math

import pytest

from mixedsparse.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (612.0899, "612.09"),
        (0.0123456, "0.012346"),
        (9.999996, "10.000"),
        (1234567.8, "1234568"),
        (1.5e9, "1.5000e+09"),
        (3.2e-7, "3.2000e-07"),
        (0.0, "0"),
        (-42.1234567, "-42.123"),
        (math.inf, "inf"),
    ],
)
def test_significant(value, text):
    assert numbers.significant(value) == text


@pytest.mark.parametrize(
    ("value", "error", "cells"),
    [
        (251.4051, 6.8246, ("251.405", "6.825")),
        (-0.0001, 77.591, ("-0.00", "77.59")),
        (2e-9, 1e-9, ("2.000e-09", "1.000e-09")),
        (1e8 + 298.5, 9.046, ("100000298.500", "9.046")),
        (1e10, 1e-3, ("1.000000000000e+10", "1.000e-03")),
        (1e-7, 1e9, ("1.000e-07", "1.000e+09")),
        (0.0, 1e-9, ("0.000e+00", "1.000e-09")),
        (1234567.0, 123456.0, ("1234567", "123456")),
        (1.0, 9.99996, ("1.00", "10.00")),
    ],
)
def test_estimate_has_the_decimals_of_its_error(value, error, cells):
    assert numbers.estimate(value, error) == cells


@pytest.mark.parametrize(("p", "text"), [(0.0, "<1e-4"), (9.9e-5, "<1e-4"), (0.00123, "0.0012"), (1.0, "1.0000")])
def test_p_value(p, text):
    assert numbers.p_value(p) == text


@pytest.mark.parametrize(("r", "text"), [(-0.001, "0.00"), (-0.456, "-0.46"), (math.nan, "n/a"), (None, "")])
def test_correlation(r, text):
    assert numbers.correlation(r) == text


def test_degrees():
    assert [numbers.degrees(df) for df in (17.0, 123.456, math.inf)] == ["17.0", "123.5", "inf"]


def test_align_points():
    assert numbers.align_points(["612.09", "5.9", "18", "1.0000e-07", "n/a", ""]) == [
        "612.09",
        "5.9 ",
        "18   ",
        "1.0000e-07",
        "n/a",
        "",
    ]
