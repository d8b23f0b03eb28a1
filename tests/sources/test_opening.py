"""Which files are read, and as what."""

from __future__ import annotations

import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mixedsparse as ms
from mixedsparse.data.sources.columns import SourceColumns
from mixedsparse.data.sources.levels import LevelsOf
from mixedsparse.data.sources.opening import open_source
from mixedsparse.data.sources.parquet import files_of, would_read


def values(source) -> list:
    database = open_source(source)
    return sorted(database.read(database.table)["y"].to_pylist())


@pytest.mark.parametrize("name", ["part[1].parquet", "it's.parquet", "what?.parquet", "a*.parquet"])
def test_a_file_whose_name_is_a_pattern_is_not_another_file(name, tmp_path):
    pd.DataFrame({"y": [1.0]}).to_parquet(tmp_path / name)
    for other in ("part1.parquet", "whatx.parquet", "ab.parquet"):
        pd.DataFrame({"y": [2.0]}).to_parquet(tmp_path / other)
    assert values(tmp_path / name) == [1.0]


def test_nested_columns_of_one_inner_name_are_no_mismatch(tmp_path):
    for i in range(2):
        frame = pd.DataFrame({"y": [1.0, 2.0], "tags": [["a"], ["b"]], "scores": [[1.0], [2.0]]})
        frame.to_parquet(tmp_path / f"part{i}.parquet")
    assert values(tmp_path) == [1.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize("empty", [0, 1])
def test_a_file_in_which_a_column_is_all_missing_goes_with_any_type(empty, tmp_path):
    for i in range(2):
        texts = [None, None] if i == empty else ["a", "b"]
        pd.DataFrame({"y": [1.0, 2.0], "g": texts}).to_parquet(tmp_path / f"part{i}.parquet")
    database = open_source(tmp_path)
    assert sorted(database.read(database.table)["g"].drop_null().to_pylist()) == ["a", "b"]


def test_an_expression_that_is_nan_is_no_level(tmp_path):
    pd.DataFrame({"y": [1.0, 2.0, -3.0]}).to_parquet(tmp_path / "data.parquet")
    columns = SourceColumns(open_source(tmp_path / "data.parquet"), ["y"])
    value = columns.value("y")
    with pytest.raises(ms.DataError, match=r"'sqrt\(y\)' is missing in some rows"):
        columns.read_factors({"key": LevelsOf("sqrt(y)", (value > 0).ifelse(value, np.nan))})


@pytest.mark.parametrize("where", ["s3://bucket/*.parquet", "https://example.org/a.parquet", Path("s3://bucket/a")])
def test_files_elsewhere_are_read_through_duckdb(where):
    with pytest.raises(ms.DataError, match=r"is not on this machine: give the relation duckdb\.read_parquet\('"):
        open_source(where)


def clashing(tmp_path, names):
    columns = [pa.array(np.arange(40.0) % k) for k in (7, 5, 3)] + [pa.array(np.arange(40) % 4)]
    pq.write_table(pa.table(columns, names=[*names, "g"]), tmp_path / "data.parquet")
    return tmp_path / "data.parquet"


@pytest.mark.parametrize("names", [["y", "x", "x"], ["y", "x", "X"]])
@pytest.mark.parametrize("relation", [False, True])
def test_columns_of_one_name_are_refused_when_they_are_used(names, relation, tmp_path):
    path = clashing(tmp_path, names)
    source = path
    if relation:
        columns = ", ".join(f"{i}.5 + g AS {name}" for i, name in enumerate(names))
        source = duckdb.sql(f"SELECT {columns}, g FROM read_parquet('{path}')")
    with pytest.raises(ms.DataError, match=f"The columns '{names[1]}', '{names[2]}' of the .* have one name in SQL"):
        SourceColumns(open_source(source), ["y", "x"])
    assert SourceColumns(open_source(source), ["y", "g"]).n == 40


@pytest.mark.parametrize("base", [2**53, 10**25], ids=["int64", "longer"])
def test_long_identifiers_are_levels_of_their_own(base):
    relation = duckdb.sql(f"SELECT {base}::HUGEINT + i % 5 AS g FROM range(100) AS t(i)")
    factor = SourceColumns(open_source(relation), ["g"]).column_factor("g")
    assert [int(level) for level in factor.levels] == [base + i for i in range(5)]


@pytest.mark.parametrize(
    ("pattern", "file", "want"),
    [
        ("", "new.parquet", True),
        ("", "deep/new.parquet", True),
        ("", "new.txt", False),
        ("*.parquet", "new.parquet", True),
        ("*.parquet", "deep/new.parquet", False),
        ("**/*.parquet", "new.parquet", True),
        ("**/*.parquet", "deep/er/new.parquet", True),
        ("**", "deep/new.parquet", True),
        ("*/part*.parquet", "deep/part9.parquet", True),
        ("*/part*.parquet", "deep/new.parquet", False),
        ("old.parquet", "new.parquet", False),
    ],
)
def test_files_that_a_source_would_read(pattern, file, want, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for old in ("old.parquet", "deep/part0.parquet"):
        pd.DataFrame({"y": [1.0]}).to_parquet(tmp_path / old)
    assert would_read(tmp_path / pattern, tmp_path / file) is want
    (tmp_path / file).write_bytes((tmp_path / "old.parquet").read_bytes())
    assert (str(tmp_path / file) in map(str, files_of(tmp_path / pattern))) is want


@pytest.mark.parametrize("other", [None, 0.5])
def test_a_binary_response_of_a_source_is_said(other, tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"y": (rng.random(300) < 0.4).astype(float), "g": rng.integers(0, 9, 300)})
    frame.loc[7, "y"] = frame.loc[7, "y"] if other is None else other
    frame.to_parquet(tmp_path / "clicks.parquet")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ms.lmer("y ~ 1 + (1 | g)", tmp_path / "clicks.parquet")
    found = [str(w.message) for w in caught if w.category is ms.BinaryResponseWarning]
    assert len(found) == (other is None)
    assert all("The response 'y' is 0 or 1 in all rows" in text for text in found)
