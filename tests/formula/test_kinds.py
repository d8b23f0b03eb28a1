"""What a column is: a number, a factor, or refused by name with the mend."""

from __future__ import annotations

import datetime
import fractions
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula import make_design
from mixedsparse.data.formula.arrays import array_design
from mixedsparse.data.formula.frames import natural
from mixedsparse.data.formula.kinds import Sort, as_fitted, sort_of
from mixedsparse.data.formula.levels import match_levels
from mixedsparse.ground.errors import DataError, FormulaError

N = 120
K = np.tile(np.arange(10), 12)  # ten values in each of twelve groups
DAYS = pd.Timestamp("2024-01-15") + pd.to_timedelta(pd.Series(K * 30 + np.arange(N) % 4), unit="D")


def objects(values) -> np.ndarray:
    out = np.empty(N, dtype=object)
    out[:] = list(values)
    return out


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"g": np.repeat(np.arange(12), 10), "x": rng.normal(size=N)})
    return rows.assign(y=rng.normal(size=12)[rows["g"]] + rows["x"] + rng.normal(size=N))


NO_COLUMNS = {
    "Timestamp": (DAYS, "dates or times: convert it to a number, e.g. the days since"),
    "Timestamp with a time zone": (DAYS.dt.tz_localize("Europe/Vienna"), "dates or times"),
    "datetime.date": (DAYS.dt.date, "dates or times"),
    "datetime.datetime": (objects(day.to_pydatetime() for day in DAYS), "dates or times"),
    "datetime.time": (objects(datetime.time(int(k)) for k in K), "dates or times"),
    "arrow dates": (DAYS.dt.date.astype(pd.ArrowDtype(pa.date32())), "dates or times"),
    "Period": (DAYS.dt.to_period("M"), r"periods \(e.g. 2024-01\): convert it to a number"),
    "Period objects": (objects(DAYS.dt.to_period("M")), r"periods \(e.g. 2024-01\)"),
    "Interval": (pd.arrays.IntervalArray(pd.cut(K, 4)), r"intervals \(e.g. .*midpoints"),
    "Timedelta": (DAYS - DAYS.min(), r"durations: .*\.dt\.total_seconds"),
    "datetime.timedelta": (objects(datetime.timedelta(int(k)) for k in K), "durations"),
    "Decimal": (objects(Decimal(int(k)) / 4 for k in K), r"decimal.Decimal objects \(e.g. 0\): .*astype\(float\)"),
    "Fraction": (objects(fractions.Fraction(int(k), 7) for k in K), "objects of type Fraction"),
    "complex objects": (objects(complex(k) for k in K), "is complex"),
    "complex": (K + 1j, "is complex: give its real part"),
    "lists": (objects([k] for k in K), "objects of type list"),
    "tuples": (objects((k, 1) for k in K), "objects of type tuple"),
    "UUID": (objects(uuid.UUID(int=int(k)) for k in K), "objects of type UUID"),
    "numbers and text": (objects("." if k == 3 else k / 2 for k in K), r"several types \(e.g. 0.0 and '.'\)"),
    "truth values and text": (objects("no" if k == 3 else True for k in K), r"several types \(e.g. True and 'no'\)"),
    "truth values and numbers": (objects(2 if k == 3 else True for k in K), r"several types \(e.g. True and 2\)"),
    "decimal comma": (objects(f"{k / 2:.1f}".replace(".", ",") for k in K), r"as text \(e.g. '0,0'\).*decimal="),
    "thousands": (objects(f"{1000 * k + 0.5:,.2f}" for k in K), r"numbers as text \(e.g. '1,000.50'\).*thousands="),
    "point for missing": (objects("." if k == 3 else f"{k / 2}" for k in K), r"'.' for a missing .*na_values=\['.'\]"),
    "point for missing in whole numbers": (objects("." if k == 3 else f"{k}" for k in K), "'.' for a missing value"),
    "NA for missing": (objects("NA" if k == 3 else f"{k}" for k in K), r"na_values=\['NA'\]"),
    "nothing for missing": (objects(" " if k == 3 else f"{k}.5" for k in K), r"na_values=\[''\]"),
    "arrow text": (pd.array(["." if k == 3 else f"{k}" for k in K], dtype=pd.ArrowDtype(pa.string())), "as text"),
    "fractions as text": (objects(f"{i / 7:.3f}" for i in range(N)), r"numbers as text \(e.g. '0.000', 120 different"),
    "percentages as text": (objects(f"{i / 7:.1f}%" for i in range(N)), r"as text \(e.g. '0.0%'.*by hand"),
    "prices as text": (objects(f"${i / 7:.2f}" for i in range(N)), r"as text \(e.g. '\$0.00'.*by hand"),
    "printed minus": (objects(f"\N{MINUS SIGN}{i / 7:.3f}" for i in range(N)), "as text .*by hand"),
    "a slip among fractions": (objects("1.2.3" if i == 9 else f"{i / 7:.3f}" for i in range(N)), "'0.000' and '1.2.3'"),
    "milliseconds as text": (objects(f"{300 + i}" for i in range(N)), "as text .*120 different ones in 120 rows"),
    "dates as text": (DAYS.dt.strftime("%Y-%m-%d"), r"dates as text \(e.g. '2024-01-15'.*pandas.to_datetime"),
    "times as text": (objects(f"{i % 24}:{i % 60:02d}" for i in range(N)), r"times as text \(e.g. '0:00', 120"),
    "durations as text": (objects(f"{i} days 01:30:00" for i in range(N)), "times as text"),
    "bytes": (objects(b"%d,5" % k for k in K), r"numbers as text \(e.g. '0,5'\).*decimal="),
    "fixed bytes": (np.array([b"%d.25" % i for i in range(N)]), "numbers as text .*120 different ones"),
    "categories of a decimal comma": (pd.Categorical([f"{k},5" for k in K]), r"as text \(e.g. '0,5'\).*decimal="),
    "categories of fractions": (pd.Categorical([f"{i}.5" for i in range(N)]), "numbers as text .*120 different ones"),
    "categories of times": (pd.Categorical([datetime.time(i % 24, i % 60) for i in range(N)]), "120 different dates"),
    "categories of durations": (pd.Categorical(pd.to_timedelta(np.arange(N), "min")), "120 different durations"),
    "German dates as text": (DAYS.dt.strftime("%d.%m.%Y"), r"dates as text"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_COLUMNS)
def test_columns_that_no_model_has_a_use_for_are_refused_by_name(rows, kind):
    values, words = NO_COLUMNS[kind]
    data = rows.assign(odd=values)
    for formula in ("y ~ odd + (1 | g)", "y ~ x + (odd | g)", "y ~ x * odd + (1 | g)", "y ~ x + (0 + odd || g)"):
        with pytest.raises(DataError, match=rf"^The column 'odd' .*{words}"):
            make_design(formula, data)
    with pytest.raises(DataError, match=rf"^The term 'I\(odd\)' .*{words}"):
        make_design("y ~ I(odd) + (1 | g)", data)
    for formula, subject in (("odd ~ x + (1 | g)", "response"), ("y ~ x + offset(odd) + (1 | g)", "offset")):
        with pytest.raises(DataError, match=f"^The {subject} 'odd' (holds|is complex|is not numeric)"):
            make_design(formula, data)
    with pytest.raises(DataError, match=r"^The weights 'odd' (holds|is complex|is not numeric)"):
        make_design("y ~ x + (1 | g)", data, weights="odd")


FACTORS = {
    "digits": objects(str(k) for k in K),
    "codes with zeros": objects(f"{k:03d}" for k in K),
    "doses": objects(str(k / 2) for k in K),
    "versions": objects(f"3.{k}" for k in K),
    "many digits": objects(str(i % 40) for i in range(N)),
    "shares": objects(f"{5 * (i % 15)}%" for i in range(N)),
    "units": objects(f"{k} mg" for k in K),
    "a level called none": objects("none" if k == 0 else str(k) for k in K),
    "months": DAYS.dt.strftime("%Y-%m"),
    "sessions": objects(f"2024-01-{k + 1:02d}" for k in K),
    "bytes": objects(b"a" if k < 5 else b"b" for k in K),
    "cut": pd.cut(K, 4),
    "categories of numbers": pd.Categorical(np.arange(N) % 40 / 7),
    "clock times": objects(f"{k + 8}:30" for k in K),
    "categories of dates": pd.Categorical(DAYS.dt.to_period("M")),
}


@pytest.mark.parametrize("kind", FACTORS)
def test_text_and_categories_stay_factors(rows, kind):
    design = make_design("y ~ odd + (1 | g)", rows.assign(odd=FACTORS[kind]))
    assert design.X.shape[1] == len(pd.unique(FACTORS[kind])) > 1


@pytest.mark.parametrize("kind", ["datetime.date", "Period", "decimal comma", "point for missing", "dates as text"])
def test_what_the_user_calls_a_factor_is_one(rows, kind):
    data = rows.assign(odd=NO_COLUMNS[kind][0])
    levels = data["odd"].nunique()
    assert make_design("y ~ C(odd) + (1 | g)", data).X.shape[1] == levels
    assert make_design("y ~ odd + (1 | g)", data, contrasts={"odd": "sum"}).X.shape[1] == levels
    assert make_design("y ~ x + (1 | odd)", data).terms[0].n_levels == levels


def test_expressions_of_odd_columns_may_give_numbers(rows):
    data = rows.assign(day=DAYS, text=objects(f"{k / 2:.1f}".replace(".", ",") for k in K))
    design = make_design("y ~ I((day - day.min()).dt.days) + text.str.len() + (1 | g)", data)
    np.testing.assert_array_equal(design.X[:, 1], (DAYS - DAYS.min()).dt.days)
    np.testing.assert_array_equal(design.X[:, 2], 3)


def test_levels_that_an_expression_leaves_missing_are_not_taken_for_the_reference(rows):
    data = rows.assign(k=[f"k{k}" for k in K])
    for term in ("k.map({'k1': 'a', 'k2': 'b'})", "C(k.map({'k1': 'a', 'k2': 'b'}))"):
        with pytest.raises(DataError, match=r"is missing in 96 of 120 rows: remove these rows first, or give them"):
            make_design(f"y ~ {term} + (1 | g)", data)


def test_a_condition_with_one_value_has_no_effect(rows):
    with pytest.raises(DataError, match=r"The factor 'I\(x > 100\)' has the one level False in the rows used"):
        make_design("y ~ I(x > 100) + (1 | g)", rows)


def test_a_comparison_outside_of_a_call_is_told_how_to_be_written(rows):
    with pytest.raises(FormulaError, match=r"The comparison '>' in .* is no term: write it as in 'I\(x > 0\)'"):
        make_design("y ~ x > 0 + (1 | g)", rows)


@pytest.mark.parametrize(
    ("values", "fitted", "want"),
    [
        ([1, 0], Sort.TRUTH, [True, False]),
        ([1.0, 0.0], Sort.TRUTH, [True, False]),
        (["True", "False"], Sort.TRUTH, [True, False]),
        (["TRUE", "FALSE"], Sort.TRUTH, [True, False]),
        ([True, False], Sort.NUMBERS, [1.0, 0.0]),
        ([True, False], Sort.TEXT, ["true", "false"]),
        ([1, 2], Sort.TEXT, ["1", "2"]),
        ([1.0, 2.0], Sort.TEXT, ["1", "2"]),
        ([1.5, 2.0], Sort.TEXT, ["1.5", "2.0"]),
    ],
)
def test_new_rows_of_another_type_are_read_as_the_fit_had_them(values, fitted, want):
    found = as_fitted(natural(pd.array(values).to_numpy()), fitted, "The column 'b'")
    assert sort_of(found) is fitted
    assert found.tolist() == want


@pytest.mark.parametrize(
    ("values", "fitted"),
    [(["yes", "no"], Sort.TRUTH), ([2, 0], Sort.TRUTH), (["1", "2"], Sort.NUMBERS), (DAYS.to_numpy(), Sort.TEXT)],
)
def test_new_rows_that_cannot_be_meant_are_refused(values, fitted):
    with pytest.raises(DataError, match=r"The column 'b' (held (truth values|text) in the fit|is not numeric)"):
        as_fitted(np.asarray(values), fitted, "The column 'b'")


@pytest.mark.parametrize(
    ("levels", "values", "codes"),
    [
        ([False, True], ["True", "FALSE", "x"], [1, 0, -1]),
        ([False, True], [1, 0, 2], [1, 0, -1]),
        (["False", "True"], [True, False], [1, 0]),
        ([0, 1], [True, False], [1, 0]),
        ([1, 2, 3], ["3", "1", "4"], [2, 0, -1]),
        (["1", "2", "3"], [3, 1, 4], [2, 0, -1]),
        (["1", "2", "3"], [3.0, np.nan, 4.0], [2, -1, -1]),
        (["a", "b"], ["b", "c"], [1, -1]),
    ],
)
def test_levels_are_known_by_their_names_whatever_type_new_rows_have(levels, values, codes):
    found, _, _ = match_levels(pd.array(values).to_numpy(), pd.Index(levels), "b")
    assert found.tolist() == codes


@pytest.mark.parametrize("kind", ["Timestamp", "Timedelta", "complex", "decimal comma", "Period"])
def test_matrices_hold_numbers_only(rows, kind):
    """NumPy makes nanoseconds of dates and leaves out imaginary parts."""
    values, words = NO_COLUMNS[kind]
    term = RandomTerm("g", rows["g"].to_numpy(), np.ones(N))
    with pytest.raises(DataError, match=rf"The column 'odd' of X .*{words}"):
        array_design(rows["y"], pd.DataFrame({"one": 1.0, "odd": values}), [term])
    with pytest.raises(DataError, match=rf"X .*{words}"):
        array_design(rows["y"], np.asarray(values), [term])
    with pytest.raises(DataError, match="Random term on 'g': z must hold real numbers"):
        RandomTerm("g", rows["g"].to_numpy(), np.asarray(values))


def test_truth_values_in_a_matrix_are_zeros_and_ones(rows):
    X = pd.DataFrame({"one": 1, "b": pd.array(K > 4, dtype="boolean"), "o": (K > 2).astype(object)})
    design = array_design(rows["y"], X, [RandomTerm("g", rows["g"].to_numpy(), np.ones(N))])
    np.testing.assert_array_equal(design.X, np.column_stack([np.ones(N), K > 4, K > 2]))


def test_wide_integers_and_lists_of_polars(rows):
    polars = pytest.importorskip("polars")
    table = polars.from_pandas(rows)
    wide = table.with_columns(polars.col("g").cast(polars.Int128))
    levels = [list(make_design("y ~ x + (1 | g)", data).terms[0].levels) for data in (wide, rows)]
    assert levels[0] == levels[1]
    lists = table.with_columns(polars.concat_list("x", "x"))
    with pytest.raises(DataError, match="The column 'x' holds objects of type list"):
        make_design("y ~ x + (1 | g)", lists)
