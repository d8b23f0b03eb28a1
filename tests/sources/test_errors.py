"""What is wrong with a source is said in one message that names the file or column, and the mend."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


def fit(data, formula="y ~ x + (1 | g)", **options):
    return ms.lmer(formula, data, **options)


@pytest.fixture
def complete(frame):
    return frame.dropna().reset_index(drop=True)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere.parquet", "There is no file 'nowhere.parquet'"),
        ("no/where/*.parquet", r"No file matches 'no/where/\*.parquet'"),
        ("sleepstudy", "The data are the text 'sleepstudy', which is no file"),
    ],
)
def test_missing_files(source, words):
    with pytest.raises(ms.DataError, match=words):
        fit(source)


def test_empty_directory(tmp_path):
    with pytest.raises(ms.DataError, match=r"holds no file '\*.parquet'"):
        fit(tmp_path)


def test_other_kinds_of_file(complete, tmp_path):
    complete.to_csv(tmp_path / "data.csv")
    with pytest.raises(ms.DataError, match=r"data.csv' is not a Parquet file: convert it"):
        fit(tmp_path / "data.csv")


def test_truncated_file(path, tmp_path):
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ms.DataError, match=r"cut.parquet' ends too early .* Write it again"):
        fit(tmp_path / "cut.parquet")


@pytest.mark.parametrize("where", ["footer", "pages"])
def test_damaged_file(path, tmp_path, where):
    data = bytearray(path.read_bytes())
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    start, end = (footer, footer + 200) if where == "footer" else (4, footer // 2)
    data[start:end] = bytes(end - start)
    (tmp_path / "bad.parquet").write_bytes(data)
    with pytest.raises(ms.DataError, match=r"bad\.parquet"):
        fit(tmp_path / "bad.parquet")


def test_types_that_differ_between_files(complete, tmp_path):
    complete.to_parquet(tmp_path / "a.parquet")
    complete.astype({"x": str}).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ms.DataError, match=r"The column 'x' is DOUBLE in .*a.parquet' and VARCHAR in .*b.parquet'"):
        fit(tmp_path)


def test_columns_that_differ_between_files(complete, tmp_path):
    complete.to_parquet(tmp_path / "a.parquet")
    complete.drop(columns="x").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ms.DataError, match=r"The column 'x' is in .*a.parquet' but not in .*b.parquet'"):
        fit(tmp_path)


def test_no_rows(complete, tmp_path):
    complete.iloc[:0].to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(ms.DataError, match="The data have no rows"):
        fit(tmp_path / "empty.parquet")


def test_column_of_nulls(complete, tmp_path):
    complete.assign(x=np.nan).to_parquet(tmp_path / "null.parquet")
    with pytest.raises(ms.DataError, match=rf"each of the {len(complete)} rows has a missing value .*in 'x'"):
        fit(tmp_path / "null.parquet")


@pytest.mark.parametrize(
    ("formula", "options", "words"),
    [
        ("y ~ Year + (1 | g)", {}, r"no column 'Year'.*Columns present: 'g', 'h'.*Did you mean 'year'"),
        ("y ~ x + (1 | group)", {}, "no column 'group'"),
        ("y ~ x + (1 | g)", {"weights": "nothing"}, "no column 'nothing', used in weights='nothing'"),
        ("y ~ x + (1 | g)", {"contrasts": {"ff": "sum"}}, "no column 'ff', used in contrasts"),
    ],
)
def test_absent_columns(path, formula, options, words):
    with pytest.raises(ms.ColumnError, match=words):
        fit(path, formula, **options)


@pytest.mark.parametrize(
    ("formula", "error", "words"),
    [
        ("h ~ x + (1 | g)", ms.DataError, "The response 'h' is not numeric"),
        ("y ~ bs(x, df=4) + (1 | g)", ms.FormulaError, r"'bs' places itself by the values of all rows"),
        ("y ~ poly(x, 2) + (1 | g)", ms.FormulaError, r"'poly' places itself .* write the powers out"),
        ("y ~ isin(x, [1, 2]) + (1 | g)", ms.FormulaError, r"'isin' is a function that databases do not have"),
        ("y ~ f.str.upper() + (1 | g)", ms.FormulaError, "function that databases do not have"),
        ("y ~ where(x > 5, 'a', 'b') + (1 | g)", ms.FormulaError, "is no number but string: add the factor"),
        ("y ~ abs(x > 5) + (1 | g)", ms.FormulaError, "'abs' is given truth values.*where"),
        ("y ~ I(yes == 'True') + (1 | g)", ms.FormulaError, "cannot be computed where the source is.*not comparable"),
        ("y ~ I(f > 1) + (1 | g)", ms.FormulaError, "cannot be computed where the source is.*not comparable"),
        ("y ~ I(x > 500) + (1 | g)", ms.DataError, r"factor 'I\(x > 500\)' has the one level False in the rows used"),
        ("log(o) ~ x + (1 | g)", ms.DataError, r"The response 'log\(o\)' is NaN or infinite in \d+ of"),
        ("y ~ log(o) + (1 | g)", ms.DataError, r"The term 'log\(o\)' is NaN or infinite in \d+ of"),
        ("y ~ x + (1 + k | g) + (1 | g)", ms.FormulaError, "Duplicate terms"),
        ("y ~ double(x) + (1 | g)", ms.FormulaError, "'double' is a function that databases do not have"),
        ("y ~ x + values + (1 | g)", ms.FormulaError, "'values' .* is an array of yours: add it to the source"),
    ],
)
def test_formulas_that_cannot_be_aggregated(path, formula, error, words):
    def double(x):
        return 2 * x

    values = np.ones(1200)  # noqa: F841
    with pytest.raises(error, match=words):
        ms.lmer(formula, path)


def test_arguments_that_are_no_columns(path, frame):
    with pytest.raises(ms.OptionError, match="weights is of type Series, but the rows are in a source"):
        fit(path, weights=frame["w"])


@pytest.mark.parametrize(
    ("changed", "formula", "options", "words"),
    [
        ({"y": 1.0}, "y ~ x + (1 | g)", {}, r"The response 'y' is constant \(1 in all"),
        ({"g": 7}, "y ~ x + (1 | g)", {}, r"The grouping factor 'g' has one level \('7'\)"),
        ({"f": "a"}, "y ~ f + (1 | g)", {}, r"The factor 'f' has the one level 'a'"),
        ({"w": 0.0}, "y ~ x + (1 | g)", {"weights": "w"}, "The weights 'w' must be positive and finite"),
        ({"x": 0.0}, "y ~ 1 + (x | g)", {}, "The effect 'x' of the grouping factor 'g' is zero in all rows"),
        ({"x": 2.5}, "x ~ 1 + (1 | g)", {}, "The response 'x' is constant"),
        ({"x": pd.Timestamp("2020-01-01")}, "y ~ x + (1 | g)", {}, "The column 'x' holds dates or times"),
        ({"x": np.inf}, "y ~ x + (1 | g)", {}, "The term 'x' is NaN or infinite in"),
    ],
)
def test_data_that_cannot_support_the_model(complete, tmp_path, changed, formula, options, words):
    complete.assign(**changed).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ms.DataError, match=words):
        fit(tmp_path / "data.parquet", formula, **options)


def test_unsupported_types(complete, tmp_path):
    complete.assign(x=[[1.0, 2.0]] * len(complete)).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ms.DataError, match=r"The column 'x' of the source .* is of type array"):
        fit(tmp_path / "data.parquet")


def test_as_many_levels_as_rows(complete, tmp_path):
    complete.assign(g=np.arange(len(complete))).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ms.DataError, match=r"not fewer than the .* rows: its variance cannot be told"):
        fit(tmp_path / "data.parquet")


def test_perfect_fit(complete, tmp_path):
    complete.assign(y=2.0 * complete["x"]).to_parquet(tmp_path / "data.parquet")
    with pytest.raises(ms.DataError, match="perfectly"):
        fit(tmp_path / "data.parquet")
