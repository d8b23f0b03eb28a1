"""Formulas taken apart for engines that spell them otherwise."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.contest.engines.formula import Bar, split, with_columns_for_products
from benchmarks.problems import PROBLEMS


def test_a_formula_comes_apart():
    parts = split("y ~ A * B + (A * B | subj) + (1 | item)")
    assert (parts.response, parts.fixed) == ("y", "A * B")
    assert parts.bars == (Bar(("1", "A", "B", "A:B"), "subj"), Bar(("1",), "item"))
    assert [bar.is_intercept for bar in parts.bars] == [False, True]
    assert parts.bars[0].columns == {"A", "B"}
    assert str(parts.bars[0]) == "(1 + A + B + A:B | subj)"


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ("1", ("1",)),
        ("Days", ("1", "Days")),
        ("1 + S + P", ("1", "S", "P")),
        ("a * b * c", ("1", "a", "b", "c", "a:b", "a:c", "b:c", "a:b:c")),
    ],
)
def test_effects_are_written_out(effects, expected):
    (bar,) = split(f"y ~ 1 + ({effects} | g)").bars
    assert bar.effects == expected


def test_a_formula_without_fixed_part_keeps_its_intercept():
    assert split("y ~ (1 | g)").fixed == "1"


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: problem.name)
def test_every_formula_of_the_table_says_the_same_again(problem):
    parts = split(problem.formula)
    again = split(f"{parts.response} ~ {parts.fixed} + {' + '.join(map(str, parts.bars))}")
    assert (again.fixed, [bar.group for bar in again.bars]) == (parts.fixed, [bar.group for bar in parts.bars])


def test_products_become_columns():
    frame = pd.DataFrame({"A": [0.5, -0.5], "B": [2.0, 4.0], "g": ["u", "v"], "h": [1, 2]}).astype({"h": "category"})
    made, bars = with_columns_for_products(frame, (Bar(("1", "A", "A:B"), "g"), Bar(("1",), "g:h")))
    assert bars == (Bar(("1", "A", "A_B"), "g"), Bar(("1",), "g_h"))
    np.testing.assert_array_equal(made["A_B"], [1.0, -2.0])
    assert made["g_h"].tolist() == ["u:1", "v:2"]
    assert made["g_h"].dtype == "category"
    assert "A_B" not in frame
