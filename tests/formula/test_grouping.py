from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mixedsparse.data.formula import make_design
from mixedsparse.data.formula.levels import factorise
from mixedsparse.ground.errors import DataError, FormulaError


@pytest.mark.parametrize(
    ("side", "groups"),
    [
        ("g", ["g"]),
        ("g/b", ["g", "g:b"]),
        ("g/b/a", ["g", "g:b", "g:b:a"]),
        ("b:g", ["b:g"]),
        ("(g:b)/a", ["g:b", "g:b:a"]),
        ("g*b", ["g", "b", "g:b"]),
        ("g + b", ["g", "b"]),
        ("b %in% g", ["g:b"]),
        ("C(z)", ["C(z)"]),
        ("factor(z):b", ["factor(z):b"]),
        ("`g`/`b`", ["g", "g:b"]),
        ("g.str.lower()", ["g.str.lower()"]),
        ("I(x > 0)", ["I(x > 0)"]),
    ],
)
def test_grouping_sides_expand(frame, side, groups):
    design = make_design(f"y ~ x + (1 | {side})", frame)
    assert [t.group for t in design.terms] == groups


@pytest.mark.parametrize("side", ["1", "g +", "g / ", "x > 0", "g h", ": g"])
def test_a_grouping_side_that_is_no_factor_is_refused(frame, side):
    with pytest.raises(FormulaError, match=r"cannot be read.*\(1 \| a/b\)"):
        make_design(f"y ~ x + (1 | {side})", frame)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (np.array([3, 1, 3, 7]), [1, 3, 7]),
        (np.array([3, 1, 3, 7], dtype=np.int64) * 10**12, [10**12, 3 * 10**12, 7 * 10**12]),
        (np.array([-5, 2, -5, 0]), [-5, 0, 2]),
        (np.array([3.0, 1.0, 3.0, 7.0]), [1, 3, 7]),
        (np.array([0.5, -1.5, 0.5, 2.0]), [-1.5, 0.5, 2.0]),
        (np.array([True, False, True, True]), [False, True]),
        (np.array(["b", "a", "b", "c"], dtype=object), ["a", "b", "c"]),
        (pd.array(["b", "a", "b", "c"], dtype="string"), ["a", "b", "c"]),
        (pd.Categorical(["b", "a", "b", "c"], categories=["c", "zz", "b", "a"]), ["c", "b", "a"]),
        (pd.Categorical([2.0, 1.0, 2.0, 1.0]), [1, 2]),
        (np.array(["2020-02-01", "2020-01-01"], dtype="M8[ns]"), list(pd.to_datetime(["2020-01-01", "2020-02-01"]))),
    ],
)
def test_codes_and_levels(values, levels):
    codes, found = factorise(values, "g")
    assert codes.dtype == np.intp
    assert list(found) == levels
    assert [found[c] for c in codes] == list(values)


@pytest.mark.parametrize("thing", [[1], {"a": 1}])
def test_objects_without_an_order_are_no_levels(frame, thing):
    data = frame.assign(odd=[thing] * 60)
    for formula in ["y ~ x + (1 | odd)", "y ~ odd + (1 | g)"]:
        with pytest.raises(DataError, match=r"'odd' holds objects of type (list|dict).*convert it to text"):
            make_design(formula, data)


def test_design_and_data_do_not_share_memory(frame):
    data = {k: frame[k].to_numpy(copy=True) for k in ("y", "w", "x", "row")}
    data["g"] = np.arange(60) % 6
    design = make_design("y ~ x + (1 + x | g)", data, weights="w")
    for mine in (design.y, design.weights, design.X, design.terms[0].codes, design.terms[0].z):
        assert not any(np.shares_memory(mine, theirs) for theirs in data.values())


def test_interaction_drops_combinations_that_do_not_occur(frame):
    data = frame[~((frame["g"] == "A") & (frame["b"] == "p"))]
    term = make_design("y ~ x + (1 | g:b)", data).terms[0]
    assert term.n_levels == 11
    assert list(term.levels[:3]) == ["A:q", "B:p", "B:q"]
    assert [term.levels[c] for c in term.codes] == [f"{g}:{b}" for g, b in zip(data["g"], data["b"], strict=True)]


def test_interaction_of_numbers_and_large_codes():
    rng = np.random.default_rng(3)
    data = {
        "y": rng.normal(size=200),
        "u": rng.integers(0, 5, 200) * 10**15,
        "v": rng.integers(0, 4, 200).astype(float),
    }
    term = make_design("y ~ 1 + (1 | v:u)", data).terms[0]
    want = [f"{int(v)}:{u}" for v, u in zip(data["v"], data["u"], strict=True)]
    assert [term.levels[c] for c in term.codes] == want


def test_duplicate_terms_are_refused_and_split_ones_are_not(frame):
    for formula in [
        "y ~ x + (1 | g) + (1 | g)",
        "y ~ x + (1 | g) + (x | g)",
        "y ~ x + (x || g) + (1 | C(g))",
        "y ~ x + (1 | g/b) + (1 | b:g)",
    ]:
        with pytest.raises(FormulaError, match=r"Duplicate terms: .*twice.*\(0 \+ x \|"):
            make_design(formula, frame)
    split = make_design("y ~ x + (1 | g) + (0 + x | g)", frame).terms
    double = make_design("y ~ x + (x || g)", frame).terms
    assert [t.columns for t in split] == [t.columns for t in double] == [("Intercept",), ("x",)]


def test_unsigned_levels_beyond_the_signed_integers():
    values = np.array([5, 3, 5, 4], dtype=np.uint64) + np.uint64(2**63)
    codes, levels = factorise(values, "g")
    assert codes.tolist() == [2, 0, 2, 1]
    assert levels.tolist() == [2**63 + 3, 2**63 + 4, 2**63 + 5]
