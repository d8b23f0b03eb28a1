"""What a column of a source is, by the rule that data in memory have."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixedsparse as ms

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")

N = 240
K = np.tile(np.arange(12), 20)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"g": np.repeat(np.arange(20), 12), "x": rng.normal(size=N), "b": rng.random(N) < 0.5})
    return rows.assign(y=rng.normal(size=20)[rows["g"]] + rows["x"] * rows["b"] + rng.normal(size=N))


def written(rows: pd.DataFrame, values, folder) -> str:
    table = pa.Table.from_pandas(rows, preserve_index=False).append_column("odd", values)
    pq.write_table(table, folder / "data.parquet")
    return str(folder / "data.parquet")


REFUSED = {
    "date": (pa.array([datetime.date(2024, 1, 1 + int(k)) for k in K]), "holds dates or times"),
    "timestamp": (pa.array(pd.Timestamp("2024-01-01") + pd.to_timedelta(K, unit="D")), "holds dates or times"),
    "time": (pa.array([datetime.time(int(k)) for k in K]), "holds dates or times"),
    "decimal comma": (pa.array([f"{k / 2:.1f}".replace(".", ",") for k in K]), r"numbers as text \(e.g. '0,0'\)"),
    "point for missing": (pa.array(["." if k == 3 else str(k) for k in K]), "'.' for a missing value"),
    "fractions": (pa.array([f"{i / 7:.3f}" for i in range(N)]), "numbers as text .*240 different ones in 240 rows"),
    "times as text": (pa.array([f"{i // 60}:{i % 60:02d}" for i in range(N)]), "times as text .*240 different ones"),
    "categories of text": (pa.array([f"{k},5" for k in K]).dictionary_encode(), r"numbers as text \(e.g. '0,5'\)"),
    "durations": (pa.array(pd.to_timedelta(K, unit="min")), "holds durations: .*total_seconds"),
    "periods": (pa.array(pd.period_range("2024-01", periods=12, freq="M")[K]), "holds periods"),
    "intervals": (pa.array(pd.arrays.IntervalArray.from_breaks(np.arange(13))[K]), "holds intervals"),
    "dates as text": (pa.array([f"2024-01-{k + 1:02d}" for k in K]), "dates as text"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_columns_that_no_model_has_a_use_for_are_refused_as_in_memory(rows, kind, tmp_path):
    values, words = REFUSED[kind]
    path = written(rows, values, tmp_path)
    for data in (path, pq.read_table(path), pd.read_parquet(path)):
        for formula in ("y ~ odd + (1 | g)", "y ~ x + (odd | g)"):
            with pytest.raises(ms.DataError, match=f"The column 'odd' .*{words}"):
                ms.lmer(formula, data)
        with pytest.raises(ms.DataError, match=r"The (response|column) 'odd' .*(holds|is not numeric)"):
            ms.lmer("odd ~ x + (1 | g)", data)


def test_what_sql_reads_as_integers_is_refused_in_every_use(rows, tmp_path):
    known = written(rows, pa.array(K), tmp_path)
    fit = ms.lmer("y ~ odd + (1 | g)", known)
    path = written(rows, REFUSED["durations"][0], tmp_path)
    for formula in ("y ~ C(odd) + (1 | g)", "y ~ x + (1 | odd)", "y ~ I(odd / 2) + (1 | g)", "odd ~ x + (1 | g)"):
        with pytest.raises(ms.DataError, match=r"The column 'odd' of the source .* holds durations: .*total_seconds"):
            ms.lmer(formula, path)
    with pytest.raises(ms.DataError, match="holds durations"):
        fit.stream_predictions(tmp_path / "out.parquet", path)
    (tmp_path / "categories").mkdir()
    categories = written(rows, pa.array(pd.Categorical(pd.to_timedelta(K, unit="min"))), tmp_path / "categories")
    with pytest.raises(ms.DataError, match=r"The column 'odd' of the source .* holds durations: .*total_seconds"):
        ms.lmer("y ~ odd + (1 | g)", categories)
    assert ms.lmer("y ~ x + (1 | g)", path).nobs == N


def test_categories_that_pandas_cannot_read_are_refused_by_name(rows):
    table = pa.Table.from_pandas(rows.assign(odd=pd.cut(K, 4)), preserve_index=False)
    with pytest.raises(ms.DataError, match=r"The column 'odd' is of type dictionary.*, which cannot be read"):
        ms.lmer("y ~ odd + (1 | g)", table)


@pytest.mark.parametrize("kind", ["date", "decimal comma"])
def test_what_the_user_calls_a_factor_is_one(rows, kind, tmp_path):
    path = written(rows, REFUSED[kind][0], tmp_path)
    for formula in ("y ~ C(odd) + (1 | g)", "y ~ x + (1 | odd)"):
        found, wanted = (ms.lmer(formula, data) for data in (path, pq.read_table(path)))
        assert found.criterion == pytest.approx(wanted.criterion, rel=1e-10)
        assert list(found.params.index) == list(wanted.params.index)


def test_factors_and_numbers_are_those_of_data_in_memory(rows, tmp_path):
    kinds = {
        "digits": pa.array([str(k % 3) for k in K]),
        "decimals": pa.array([Decimal(int(k)) / 4 for k in K], type=pa.decimal128(10, 2)),
        "categories": pa.DictionaryArray.from_arrays(pa.array(K % 3), ["low", "middle", "high"]),
        "zeros and ones": pa.array((K % 2).astype("int8")),
    }
    for values in kinds.values():
        path = written(rows, values, tmp_path)
        found, wanted = (ms.lmer("y ~ odd * b + (1 | g)", data) for data in (path, pq.read_table(path)))
        assert list(found.params.index) == list(wanted.params.index)
        np.testing.assert_allclose(found.params, wanted.params, rtol=1e-8, atol=1e-10)


def test_truth_values_of_a_source_in_tests_means_and_new_rows(rows, tmp_path):
    path = written(rows, pa.array(K), tmp_path)
    formula = "y ~ x * b + I(odd > 5) + (0 + b | g)"
    found, wanted = (ms.lmer(formula, data) for data in (path, pd.read_parquet(path)))
    assert found.criterion == pytest.approx(wanted.criterion, rel=1e-10)
    for kind in (1, 2, 3):
        np.testing.assert_allclose(found.anova(type=kind)["F"], wanted.anova(type=kind)["F"], rtol=1e-5)
    pd.testing.assert_frame_equal(found.emmeans("b").table, wanted.emmeans("b").table, rtol=1e-5)
    pd.testing.assert_frame_equal(found.joint_tests(), wanted.joint_tests(), rtol=1e-4, atol=1e-6)
    new = pd.read_parquet(path).head(30)
    for given in (new["b"], new["b"].astype(str), new["b"].astype(int)):
        np.testing.assert_allclose(found.predict(new.assign(b=given)), wanted.predict(new), rtol=1e-5, atol=1e-6)
