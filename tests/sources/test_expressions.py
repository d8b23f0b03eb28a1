"""Expressions of a formula give the same numbers in the database as in memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.data.formula.names import namespace
from mixedsparse.data.sources.expressions import Standardised, Translation, translate

VALUES = pd.DataFrame({"x": [-2.5, -1.0, 0.0, 0.3, 1.0, 7.0], "z": [3.0, 2.0, -1.5, 2.0, 0.5, 4.0]})


def in_database(code):
    import ibis

    table = ibis.memtable(VALUES)
    expression = translate(code, code, Translation({"x": table.x, "z": table.z}, {"scale_by": 2.5, "np": np}, {}))
    return table.select(value=expression).to_pandas()["value"].to_numpy(dtype=float)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ibis 12 on DuckDB 2 and pandas 3
@pytest.mark.parametrize(
    "code",
    [
        "x + 2 * z - 1",
        "x / z",
        "x**2",
        "x**3 - x**4",
        "2**x",
        "abs(z)**0.5",
        "-x",
        "x // 2",
        "x % 3",
        "I(x * z)",
        "np.log(x + 10)",
        "log(x + 10) + log2(x + 10) + log10(x + 10) + log1p(x + 10)",
        "exp(x) + exp2(x) + expm1(x)",
        "sqrt(x + 10) + cbrt(x) + square(x)",
        "sin(2 * pi * x / 12) + cos(np.pi * x) + tan(x / 9)",
        "arctan(x) + arctan2(x, z)",
        "floor(x) + ceil(x) + trunc(x) + sign(x)",
        "maximum(x, z) - minimum(x, 0)",
        "clip(x, -1, 1)",
        "where(x > z, x, 2)",
        "where((x > 0) & (z != 2), 1, 0)",
        "where(~(x <= 0), 1, 0)",
        "x * scale_by",
    ],
)
def test_equal_to_numpy(code):
    with np.errstate(all="ignore"):
        wanted = eval(code, {**namespace(), "np": np, "scale_by": 2.5, "x": VALUES["x"], "z": VALUES["z"]})
    np.testing.assert_allclose(in_database(code), np.asarray(wanted, dtype=float), rtol=1e-14, atol=1e-15)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_database_stumbles_over_a_value_outside_the_domain():
    assert np.isnan(in_database("log(x)")).tolist() == [True, True, True, False, False, False]
    assert np.isnan(in_database("sqrt(x)")).tolist() == [True, True, False, False, False, False]


def test_standardising_is_left_to_the_reader_of_all_rows():
    known = Translation({"x": 1.0}, {}, {})
    assert translate("scale(x)", "scale(x)", known) == Standardised(1.0, True)
    assert translate("center(x)", "center(x)", known) == Standardised(1.0, False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("log(scale(x))", "'scale' stands inside another call"),
        ("scale(x, ddof=0)", "scale takes one column here"),
        ("[1, 2]", "is more than arithmetic"),
        ("x if x else 1", "is more than arithmetic"),
        ("lag(x)", "rows of a database have no order"),
        ("cc(x, 3)", "write sine and cosine"),
        ("y + 1", "'y' is neither a column nor a number"),
        ("x.mean()", "'x.mean' is a function that databases do not have"),
    ],
)
def test_refused_with_the_reason_and_the_mend(code, words):
    with pytest.raises(ms.FormulaError, match=words):
        translate(code, code, Translation({"x": 1.0}, {}, {}))
