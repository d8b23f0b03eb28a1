from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from formulaic import model_matrix

from mixedsparse.data.formula import make_design
from mixedsparse.data.formula.encoders import Recipe, Transform
from mixedsparse.ground.errors import FormulaError

PLAIN = [
    "C(z) * x",
    "0 + C(z):a",
    "C(a) + C(a):x + a:z",
    "1",
    "0",
    "x",
    "0 + x",
    "x + w - 1",
    "x * w * z",
    "(x + w + z)**2",
    "x:w + z",
    "a",
    "0 + a",
    "a + b",
    "0 + a + b",
    "a * b",
    "a * b - 1",
    "a:b",
    "0 + a:b",
    "a + a:b",
    "x * a",
    "a:x",
    "0 + a:x",
    "a/b",
    "x:a:b + w",
    "b * x * a",
    "(a + b + x)**2 - a:b",
    "flag * a",
    "f + x",
]
CALLS = [
    "log(w)",
    "I(x**2) + x",
    "poly(x, 2) * a",
    "scale(x) + center(w)",
    "C(a, contr.sum) + b",
    "bs(x, df=5)",
    "cr(x, df=4, constraints='center')",
    "2:x",
    "np.sin(x) + a:log(w)",
]


def expected(terms: str, frame: pd.DataFrame):
    """Names, matrix and term slices of formulaic, on data as our encoders see them."""
    data = frame.assign(f=frame["f"].cat.remove_unused_categories(), flag=frame["flag"].astype(str))
    matrix = model_matrix(terms, data)
    slices = {str(term): columns for term, columns in matrix.model_spec.term_slices.items()}
    return tuple(matrix.columns), matrix.to_numpy(dtype=float), slices


@pytest.mark.parametrize("terms", PLAIN + CALLS)
def test_fixed_and_random_sides_equal_formulaic(frame, terms):
    names, X, slices = expected(terms, frame)
    design = make_design(f"y ~ {terms} + (1 | g)", frame)
    assert design.x_names == names
    np.testing.assert_array_equal(design.X, X)
    assert design.x_terms == slices
    assert isinstance(design.encoding.fixed, Recipe if terms in PLAIN else Transform)
    if len(names):
        term = make_design(f"y ~ 1 + ({terms} | b)", frame).terms[0]
        assert term.columns == names
        np.testing.assert_array_equal(term.z, X)


@pytest.mark.parametrize("terms", [t for t in PLAIN + CALLS if t != "0"])
def test_new_rows_are_coded_like_the_old_ones(frame, terms):
    design = make_design(f"y ~ {terms} + ({terms} | b)", frame)
    part = frame.iloc[3:8].drop(columns="y")
    new = design.matrices(part)
    np.testing.assert_allclose(new.X, design.X[3:8], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(new.terms[0].z, new.X)
    one = design.matrices(part.astype({"a": object, "f": object}).iloc[:1])
    np.testing.assert_allclose(one.X, design.X[3:4], rtol=1e-12, atol=1e-12)


# Number of columns of R's model.matrix.
R_COLUMNS = [
    ("0 + f", 3),
    ("f:x", 4),
    ("0 + f:x", 3),
    ("a:b", 7),  # R does not see that 1 + a:b needs only 6; formulaic does
    ("0 + a:b", 6),
    ("a * b - a", 6),
    ("x:a:b", 7),
    ("a * x - x", 6),
]


@pytest.mark.parametrize(("terms", "columns"), R_COLUMNS)
def test_number_of_columns_is_that_of_r(frame, terms, columns):
    design = make_design(f"y ~ {terms} + (1 | g)", frame)
    assert design.X.shape[1] == columns - (terms == "a:b")
    assert np.linalg.matrix_rank(design.X) == design.X.shape[1]


def test_names_that_look_like_functions_and_attributes(frame):
    rng = np.random.default_rng(0)
    odd = ["C", "I", "Q", "np", "log", "IQ.ver", "my col", "größe", "poly", "in", "a.b.c", "x:y", "yield", "pi", "_ms0"]
    data = frame.assign(**{name: rng.uniform(1, 2, len(frame)) for name in odd})
    bare = [f"`{name}`" if name in ("my col", "x:y") else name for name in odd]
    design = make_design(f"y ~ {' + '.join(bare)} + (1 + IQ.ver | g)", data)
    assert design.x_names == ("Intercept", *odd)
    np.testing.assert_array_equal(design.X[:, 1:], data[odd])
    assert design.terms[0].columns == ("Intercept", "IQ.ver")
    calls = make_design(
        "y ~ C(a) + I(C**2) + log(log) + np.log(np) + Q('my col') + log(IQ.ver + `my col`) + poly(poly, 2) + (1 | g)",
        data,
    )
    assert calls.x_names == (
        "Intercept",
        *("C(a)[T.v]", "C(a)[T.w]", "I(C ** 2)", "log(log)", "np.log(np)", "my col", "log(IQ.ver + my col)"),
        *("poly(poly, 2)[1]", "poly(poly, 2)[2]"),
    )
    np.testing.assert_array_equal(calls.X[:, 5], np.log(data["np"]))
    np.testing.assert_array_equal(make_design("yield ~ x + (1 | g)", data).y, data["yield"])


def test_spellings_of_r(frame):
    design = make_design("y ~ I(x^2) + factor(z) + ifelse(x > 0, 1L, 0) + poly(w, 2, raw=TRUE) + (1 | g)", frame)
    assert design.x_names[1:3] == ("I(x ** 2)", "C(z)[T.1]")
    np.testing.assert_array_equal(design.X[:, 1], frame["x"] ** 2)
    np.testing.assert_array_equal(design.X[:, 6], frame["x"] > 0)
    np.testing.assert_allclose(design.X[:, 8], frame["w"] ** 2)
    assert make_design("y ~ b %in% a + (1 | g)", frame).x_names == make_design("y ~ b:a + (1 | g)", frame).x_names


def test_elementwise_functions_and_pi(frame):
    design = make_design(
        "y ~ sin(2 * pi * x) + sqrt(w) + abs(x) + expm1(x) + exp10(x) + maximum(x, w) + (1 | g)", frame
    )
    x, w = frame["x"], frame["w"]
    want = [np.sin(2 * np.pi * x), np.sqrt(w), abs(x), np.expm1(x), 10**x, np.maximum(x, w)]
    np.testing.assert_allclose(design.X[:, 1:], np.column_stack(want))


def test_names_of_the_caller(frame):
    from math import log

    def double(v):
        return 2 * v

    def scale(v):
        return v / 10

    extra = np.arange(60.0)
    env = {"double": double, "scale": scale, "log": log, "C": 3, "limit": 0.5, "extra": extra}
    design = make_design("y ~ double(x) + scale(x) + log(w) + C(b) + I(x > limit) + extra + (1 | g)", frame, env=env)
    np.testing.assert_array_equal(design.X[:, 1], 2 * frame["x"])
    np.testing.assert_array_equal(design.X[:, 2], frame["x"] / 10)
    np.testing.assert_array_equal(design.X[:, 3], np.log(frame["w"]))
    np.testing.assert_array_equal(design.X[:, 5], frame["x"] > 0.5)
    np.testing.assert_array_equal(design.X[:, 6], extra)
    new = design.matrices(frame.iloc[:4].assign(extra=extra[:4]))
    np.testing.assert_array_equal(new.X, design.X[:4])


def test_small_integers_do_not_overflow(frame):
    data = frame.assign(z=np.full(60, 100, dtype=np.int8) + np.arange(60, dtype=np.int8) % 20)
    design = make_design("y ~ z:z + I(z**2) + z:x + (1 | g)", data)
    np.testing.assert_array_equal(design.X[:, design.x_names.index("I(z ** 2)")], data["z"].astype(float) ** 2)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ foo(x) + (1 | g)", "function 'foo'.*not known: define it"),
        ("y ~ ns(x, 3) + (1 | g)", r"'ns'.*cr\(x, df=3"),
        ("y ~ relevel(a, 'v') + (1 | g)", r"contr\.treatment\(base="),
        ("y ~ . + (1 | g)", "name the columns"),
        ("y ~ frame$x + (1 | g)", "name the column alone"),
        ("y ~ x + 3 + (1 | g)", "'x \\+ 3' cannot be evaluated: Numeric literals"),
        ("y ~ x + 'b' + (1 | g)", "String literals"),
        ("y ~ a b + (1 | g)", "Missing operator between `a` and `b`"),
        ("y ~ I(a + 1) + (1 | g)", r"'I\(a \+ 1\)' cannot be evaluated.*needs C\(\.\.\.\)"),
        ("y ~ x.nothing() + (1 | g)", "cannot be evaluated: .*no attribute 'nothing'"),
        ("y ~ I(x %in% w) + (1 | g)", r"isin\(x"),
        ("y ~ x %o% w + (1 | g)", "operator '%o%'"),
        ("y ~ (0 | g)", "has no effects"),
        ("log(y, ~ (1 | g)", "never closed"),
        ("y + ~ x + (1 | g)", "'y \\+' cannot be evaluated"),
    ],
)
def test_terms_that_cannot_be_read_or_evaluated(frame, formula, message):
    with pytest.raises(FormulaError, match=message):
        make_design(formula, frame)
