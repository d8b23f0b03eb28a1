from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from mixedsparse.data.formula import make_design
from mixedsparse.ground.errors import DataError, FormulaError


def test_a_design_holds_what_the_formula_says(frame):
    design = make_design("y ~ x * a + (1 + x | g) + (1 | h)", frame)
    assert (design.formula, design.response) == ("y ~ x * a + (1 + x | g) + (1 | h)", "y")
    np.testing.assert_array_equal(design.y, frame["y"])
    assert design.x_names == ("Intercept", "x", "a[T.v]", "a[T.w]", "x:a[T.v]", "x:a[T.w]")
    assert design.x_terms == {"1": slice(0, 1), "x": slice(1, 2), "a": slice(2, 4), "x:a": slice(4, 6)}
    first, second = design.terms
    assert (first.group, first.columns, first.levels.tolist()) == ("g", ("Intercept", "x"), list("ABCDEF"))
    assert (second.group, second.columns, second.levels.tolist()) == ("h", ("Intercept",), list(range(10)))
    assert design.weights is design.offset is None
    assert design.nmissing == 0


@pytest.mark.parametrize(
    ("bar", "columns"),
    [
        ("(1 | g)", [("Intercept",)]),
        ("(x | g)", [("Intercept", "x")]),
        ("(0 + x | g)", [("x",)]),
        ("(x - 1 | g)", [("x",)]),
        ("(1 + x || g)", [("Intercept",), ("x",)]),
        ("(a | g)", [("Intercept", "a[T.v]", "a[T.w]")]),
        ("(0 + a | g)", [("a[u]", "a[v]", "a[w]")]),
        ("(a || g)", [("Intercept",), ("a[T.v]",), ("a[T.w]",)]),
        ("(0 + a || g)", [("a[u]",), ("a[v]",), ("a[w]",)]),
        ("(b * x | g)", [("Intercept", "b[T.q]", "x", "b[T.q]:x")]),
        ("(log(w) | g)", [("Intercept", "log(w)")]),
        ("(poly(x, 2) || g)", [("Intercept",), ("poly(x, 2)[1]",), ("poly(x, 2)[2]",)]),
        ("(x || g/b)", [("Intercept",), ("x",)] * 2),
        ("(1 | g) + (0 + x | g)", [("Intercept",), ("x",)]),
    ],
)
def test_effects_of_bars(frame, bar, columns):
    design = make_design(f"y ~ x + {bar}", frame)
    assert [t.columns for t in design.terms] == columns
    full = make_design(f"y ~ x + {bar.replace('||', '|')}", frame)
    np.testing.assert_array_equal(
        np.hstack([t.z for t in design.terms]),
        np.hstack([t.z for t in full.terms]),
    )


@pytest.mark.parametrize(
    ("left", "value"),
    [
        ("y", lambda d: d["y"]),
        ("log(w)", lambda d: np.log(d["w"])),
        ("1000/w", lambda d: 1000 / d["w"]),
        ("I(w^2) - 1", lambda d: d["w"] ** 2 - 1),
        ("y + x", lambda d: d["y"] + d["x"]),
        ("flag", lambda d: d["flag"]),
        ("z", lambda d: d["z"]),
        ("I(a == 'u')", lambda d: d["a"] == "u"),
    ],
)
def test_responses(frame, left, value):
    design = make_design(f"{left} ~ x + (1 | g)", frame)
    assert design.response == left
    assert design.y.dtype == np.float64
    np.testing.assert_allclose(design.y, value(frame).astype(float))


def test_weights_and_offset_by_name_and_as_arrays(frame):
    data = frame.assign(off=frame["x"] / 2)
    by_name = make_design("y ~ x + (1 | g)", data, weights="w", offset="off")
    by_array = make_design("y ~ x + (1 | g)", data, weights=data["w"].to_numpy(), offset=data["off"].tolist())
    in_formula = make_design("y ~ x + offset(x) + offset(off - x) + (1 | g)", data)
    np.testing.assert_array_equal(by_name.weights, data["w"])
    np.testing.assert_array_equal(by_array.weights, data["w"])
    for design in (by_name, by_array, in_formula):
        np.testing.assert_allclose(design.offset, data["off"])
        np.testing.assert_array_equal(design.y, data["y"])
    both = make_design("y ~ x + offset(x) + (1 | g)", data, offset=2.0)
    np.testing.assert_allclose(both.offset, data["x"] + 2)
    assert both.x_names == ("Intercept", "x")


def test_missing_weights_offsets_and_groups_drop_rows(frame):
    data = frame.assign(
        w=frame["w"].where(frame["row"] != 3),
        h=frame["h"].where(frame["row"] != 4),
        g=frame["g"].where(frame["row"] != 5, None),
    )
    offset = np.where(frame["row"] == 6, np.nan, 1.0)
    design = make_design("y ~ x + (1 | g) + (1 | h)", data, weights="w", offset=offset)
    assert design.nmissing == 4
    assert design.missing == {"w": 1, "h": 1, "g": 1, "offset=": 1}
    assert design.index.tolist() == [0, 1, 2, *range(7, 60)]
    assert (
        len(design.y) == len(design.X) == len(design.weights) == len(design.offset) == len(design.terms[0].codes) == 56
    )
    assert design.terms[1].levels.tolist() == list(range(10))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "a"}, "The weights 'a' is not numeric"),
        ({"weights": "x"}, "weights 'x' must be positive and finite, but"),
        ({"weights": np.zeros(60)}, "The weights must be positive and finite, but 60 of 60"),
        ({"weights": np.full(60, np.inf)}, "positive and finite"),
        ({"weights": np.ones(3)}, r"weights has shape \(3,\), but the data have 60 rows"),
        ({"weights": "nope"}, "no column 'nope', used in weights='nope'"),
        ({"offset": "a"}, "The offset 'a' is not numeric"),
        ({"offset": np.full(60, np.inf)}, "The offset is infinite in 60 of 60"),
        ({"offset": np.ones(61)}, r"offset has shape \(61,\)"),
        ({"weights": np.full(60, np.nan)}, "No rows are left.*60 in 'weights='"),
    ],
)
def test_bad_weights_and_offsets(frame, arguments, message):
    with pytest.raises(DataError, match=message):
        make_design("y ~ x + (1 | g)", frame, **arguments)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("const ~ x + (1 | g)", r"response 'const' is constant \(2 in all 60 rows\)"),
        ("a ~ x + (1 | g)", "response 'a' is not numeric.*'u', 'v', 'w'.*convert"),
        ("f ~ x + (1 | g)", "response 'f' is not numeric"),
        ("cplx ~ x + (1 | g)", "response 'cplx' is complex"),
        ("things ~ x + (1 | g)", "response 'things' is not numeric"),
        ("day ~ x + (1 | g)", "response 'day' holds dates"),
        ("inf ~ x + (1 | g)", "response 'inf' is infinite in 1 of 60 rows .*row 3"),
        ("log(x) ~ w + (1 | g)", r"response 'log\(x\)' is NaN.*logarithm"),
        ("y ~ inf + (1 | g)", "'inf' is infinite in 1 of 60"),
        ("y ~ x + (inf | g)", "'inf' is infinite in 1 of 60"),
        ("y ~ log(x) + (1 | g)", r"'log\(x\)' is NaN in \d+ of 60"),
        ("y ~ x + (log(x) | g)", r"'log\(x\)' is NaN"),
        ("y ~ cplx + (1 | g)", "'cplx' is complex"),
        ("y ~ day + (1 | g)", "'day' holds dates or times: convert"),
        ("y ~ one + (1 | g)", "factor 'one' has the one level 'k'.*remove it"),
        ("y ~ x + (1 | one)", r"grouping factor 'one' has one level \('k'\)"),
        ("y ~ x + (1 | row)", "'row' has 60 levels, not fewer than the 60 rows"),
        ("y ~ x + (a | g:h)", "'g:h' has 60 levels times 3 effects"),
        ("y ~ x + (1 | floor(log(x)))", r"'floor\(log\(x\)\)' is missing in some rows"),
        ("y ~ empty + (1 | g)", "No rows are left: each of the 60 rows.*60 in 'empty'"),
        ("pi + 1 ~ x + (1 | g)", "one value instead of 60"),
    ],
)
def test_data_that_cannot_support_the_model(frame, formula, message):
    data = frame.assign(
        const=2.0,
        cplx=1j + frame["x"],
        things=[object()] * 60,
        day=pd.date_range("2020", periods=60),
        inf=np.where(frame["row"] == 3, np.inf, frame["x"]),
        one="k",
        empty=np.nan,
    )
    with pytest.raises(DataError, match=message):
        make_design(formula, data)


def test_no_rows_at_all(frame):
    with pytest.raises(DataError, match="no rows"):
        make_design("y ~ x + (1 | g)", frame.iloc[:0])


@pytest.mark.parametrize("formula", [None, 3, ["y ~ x"]])
def test_a_formula_is_text(frame, formula):
    with pytest.raises(FormulaError, match="must be text"):
        make_design(formula, frame)


def test_a_level_per_row_is_fine_where_the_effect_is_zero_in_some_rows(frame):
    term = make_design("y ~ x + (0 + where(b == 'p', 1, 0) | row)", frame).terms[0]
    assert term.n_levels == 60
    assert term.columns == ("where(b == 'p', 1, 0)",)


def test_a_level_per_row_is_fine_with_weights_that_differ(frame):
    assert make_design("y ~ x + (1 | row)", frame, weights="w").terms[0].n_levels == 60
    with pytest.raises(DataError, match="not fewer than"):
        make_design("y ~ x + (1 | row)", frame, weights=np.full(60, 2.0))


def test_the_data_are_not_changed(frame):
    before = frame.copy(deep=True)
    make_design("y ~ x * a + I(z**2) + (x | g/b)", frame, contrasts={"a": "sum"})
    pd.testing.assert_frame_equal(frame, before)


def test_a_design_survives_pickling(frame):
    design = make_design("y ~ poly(x, 2) * a + offset(z) + (log(w) * b | g) + (1 | h/b)", frame)
    again = pickle.loads(pickle.dumps(design))
    np.testing.assert_array_equal(again.matrices(frame).X, design.matrices(frame).X)
    assert again.x_terms == design.x_terms


def test_pickles_do_not_hold_the_data_twice(frame):
    data = pd.concat([frame] * 200, ignore_index=True)
    design = make_design("y ~ poly(x, 2) * C(a) + (log(w) | g)", data)
    assert len(pickle.dumps(design.encoding)) < 20_000
