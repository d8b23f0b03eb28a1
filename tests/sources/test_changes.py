"""What can go wrong with files and connections while they are read, or between two readings."""

from __future__ import annotations

import errno
import gc
import os
import random
import shutil
import subprocess
import sys
import tempfile
import warnings
from functools import partial

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import mixedsparse as ms
from mixedsparse.data.sources.parquet import Stamp
from tests.limits import relimited

FORMULA = "y ~ x + (1 | g)"


def rows(seed: int = 0, n: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = rng.integers(0, 12, n)
    return pd.DataFrame({"y": rng.normal(size=12)[g] + rng.normal(size=n), "x": rng.normal(size=n), "g": g})


@pytest.fixture
def path(tmp_path):
    rows().to_parquet(tmp_path / "data.parquet")
    return tmp_path / "data.parquet"


def at_query(number: int, change):
    """Progress that does something to the files once after that many queries."""

    def note(done, total):
        if done == number:
            change()

    return note


def replaced(path):
    rows(seed=1).to_parquet(path.with_name("other"))
    os.replace(path.with_name("other"), path)


def rewritten(path):
    rows(seed=1).to_parquet(path)


CHANGES = {
    "replaced by as many rows": (replaced, "was changed while it was read"),
    "written over": (rewritten, "was changed while it was read"),
    "cut": (lambda path: os.truncate(path, 1000), "was changed while it was read"),
    "gone": (lambda path: path.unlink(), "went away while it was read"),
}


@pytest.mark.parametrize("query", [1, 2])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_named(path, change, query):
    act, message = CHANGES[change]
    with pytest.raises(ms.DataError, match=rf"data\.parquet' {message}"):
        ms.LinearMixedModel(FORMULA, path, progress=at_query(query, lambda: act(path)))


WRITES = {
    "a row more": "INSERT INTO data SELECT * FROM data LIMIT 1",
    "a row less": "DELETE FROM data WHERE rowid = 7",
    "another response": "UPDATE data SET y = y + 1 WHERE rowid = 7",
    "another covariate": "UPDATE data SET x = x + 0.001 WHERE rowid = 7",
    "a row of another level": "UPDATE data SET g = 3 WHERE rowid = (SELECT min(rowid) FROM data WHERE g = 5)",
    "a new level": "UPDATE data SET g = 99 WHERE rowid = 7",
    "a row for another": "UPDATE data SET y = 2 * y, g = (g + 1) % 12 WHERE rowid = 7",
}


@pytest.mark.parametrize("query", [1, 2])
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_to_a_table_between_two_readings_is_noticed(write, weights, query):
    """Levels, moments and sums of a table come from readings one after another, between which others may write."""
    connection = duckdb.connect()
    connection.register("frame", rows().assign(w=1.5))
    connection.execute("CREATE TABLE data AS SELECT * FROM frame")
    relation = connection.table("data")
    if query == 1 and write in ("another response", "another covariate"):
        # The levels, which were all that was read, are what they were.
        model = ms.LinearMixedModel(FORMULA, relation, weights=weights)
        write_now = at_query(1, lambda: connection.execute(WRITES[write]))
        found = ms.LinearMixedModel(FORMULA, relation, weights=weights, progress=write_now)
        after = ms.LinearMixedModel(FORMULA, relation, weights=weights)
        assert found.fit().criterion == after.fit().criterion != model.fit().criterion
        return
    with pytest.raises(ms.DataError, match=r"The source ha[ds] .*: something writes to it"):
        ms.LinearMixedModel(
            FORMULA, relation, weights=weights, progress=at_query(query, lambda: connection.execute(WRITES[write]))
        )


def test_one_of_several_files_that_changes_is_named(tmp_path):
    for i in range(3):
        rows(seed=i).to_parquet(tmp_path / f"part{i}.parquet")
    with pytest.raises(ms.DataError, match=r"part1\.parquet' was changed while it was read"):
        ms.LinearMixedModel(FORMULA, tmp_path, progress=at_query(2, lambda: replaced(tmp_path / "part1.parquet")))


def test_a_file_that_changes_while_predictions_stream_leaves_no_target(path, tmp_path):
    fit = relimited(ms.lmer(FORMULA, path), streamed=100)
    with pytest.raises(ms.DataError, match=r"data\.parquet' was changed while it was read"):
        fit.stream_predictions(tmp_path / "out", progress=lambda done, total: replaced(path) if done == total else None)
    assert not [entry.name for entry in tmp_path.iterdir() if entry.name != "data.parquet"]


def test_predictions_of_the_fits_own_rows_need_the_contents_that_were_fitted(path, tmp_path):
    fit = ms.lmer(FORMULA, path)
    fit.save(tmp_path / "fit")
    shutil.copy(path, tmp_path / "copy")
    replaced(path)
    for results in (fit, ms.load(tmp_path / "fit")):
        with pytest.raises(ms.DataError, match=r"data\.parquet' has other contents than when it was fitted"):
            results.stream_predictions(tmp_path / "out")
    assert fit.stream_predictions(tmp_path / "out", path) == 300
    # A copy of what was fitted is another file with the same contents.
    os.replace(tmp_path / "copy", path)
    assert fit.stream_predictions(tmp_path / "out") == 300


def test_a_file_more_in_the_directory_of_the_fit_is_noticed(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    rows().to_parquet(data / "a.parquet")
    fit = ms.lmer(FORMULA, data)
    rows().iloc[:0].to_parquet(data / "b.parquet")
    with pytest.raises(ms.DataError, match="had 1 files and has 2 now"):
        fit.stream_predictions(tmp_path / "out")


def test_directories_that_are_called_like_files_are_walked_into(path, tmp_path):
    whole = ms.lmer(FORMULA, path)
    table = tmp_path / "table.parquet"  # as other engines write a table
    (table / "part.parquet").mkdir(parents=True)
    (table / "empty.parquet").mkdir()
    rows().iloc[:100].to_parquet(table / "a.parquet")
    rows().iloc[100:].to_parquet(table / "part.parquet" / "b.parquet")
    (table / "_SUCCESS").write_text("")
    assert ms.lmer(FORMULA, table).criterion == pytest.approx(whole.criterion, rel=1e-12)


def test_a_link_to_nowhere_is_no_reason_to_leave_rows_out(path, tmp_path):
    (tmp_path / "more.parquet").symlink_to("gone.parquet")
    with pytest.raises(ms.DataError, match=r"more\.parquet' is a link to a file that is not there"):
        ms.lmer(FORMULA, tmp_path)


@pytest.mark.slow
def test_damage_anywhere_in_a_file_is_an_error_of_ours_or_none(path, tmp_path):
    whole, broken, chance = path.read_bytes(), tmp_path / "broken.parquet", random.Random(2)
    length = int.from_bytes(whole[-8:-4], "little")
    refused = 0
    for trial in range(60):
        part = bytearray(whole)
        # Half of the damage in the footer, where the schema is.
        at = len(whole) - 9 - chance.randrange(length) if trial % 2 else chance.randrange(len(whole))
        part[at] ^= 1 << chance.randrange(8)
        broken.write_bytes(part if trial % 5 else part[:at])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ms.LinearMixedModel(FORMULA, broken)
            except ms.MixedSparseError as err:
                refused += 1
                assert "broken.parquet" in str(err) or "column" in str(err) or "response" in str(err)  # noqa: PT017
    assert refused > 15


def test_a_closed_connection_is_named():
    connection = duckdb.connect()
    connection.register("frame", rows())
    relation = connection.sql("SELECT * FROM frame")
    connection.close()
    with pytest.raises(ms.DataError, match=r"The DuckDB relation cannot be read: .*closed.*connection is open"):
        ms.lmer(FORMULA, relation)


def test_a_connection_that_closes_while_it_is_read_is_named():
    connection = duckdb.connect()
    connection.register("frame", rows())
    relation = connection.sql("SELECT * FROM frame")
    with pytest.raises(ms.DataError, match="The DuckDB relation "):
        ms.LinearMixedModel(FORMULA, relation, progress=at_query(2, connection.close))


def test_a_table_of_ibis_whose_database_is_gone_is_named(tmp_path):
    ibis = pytest.importorskip("ibis")
    frame = rows()
    with duckdb.connect(str(tmp_path / "data.duckdb")) as own:
        own.register("frame", frame)
        own.execute("CREATE TABLE data AS SELECT * FROM frame")
    connection = ibis.duckdb.connect(tmp_path / "data.duckdb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ibis 12 calls what DuckDB 2 deprecates
        table = connection.table("data")
    connection.disconnect()
    with pytest.raises(ms.DataError, match="The Ibis table cannot be read: "):
        ms.lmer(FORMULA, table)


def test_names_that_sql_cannot_hold_are_an_error_of_ours(tmp_path):
    rows().assign(**{"x\0y": 1.0}).to_parquet(tmp_path / "odd.parquet")
    with pytest.raises(ms.DataError, match=r"odd\.parquet' is damaged, or holds what DuckDB cannot read"):
        ms.lmer("y ~ 1 + (1 | g)", tmp_path / "odd.parquet")


HUGE = {
    "z ~ 1 + (1 | g)": {},
    "y ~ z + (1 | g)": {},
    "y ~ x:z + (1 | g)": {},
    "y ~ 1 + (z | g)": {},
    "y ~ 1 + (1 | g) + offset(z)": {},
    "y ~ x + (1 | g)": {"weights": "w"},
    "y ~ 0 + x + (1 | g)": {"offset": "z"},
}


@pytest.mark.parametrize("size", [1e300, -1e160, 1e145])
@pytest.mark.parametrize("formula", HUGE)
def test_values_whose_squares_overflow_are_refused_by_name(formula, size, tmp_path):
    data = rows().assign(z=np.linspace(0, 1, 300), w=1.0)
    data.loc[7, ["z", "w"]] = size, abs(size)
    data.to_parquet(tmp_path / "huge.parquet")
    for given in (data, tmp_path / "huge.parquet"):
        with pytest.raises(ms.DataError, match=r"ha(s|ve) values of size .*, whose squares leave the range of numbers"):
            ms.LinearMixedModel(formula, given, **HUGE[formula])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_a_full_disk_names_the_target_and_leaves_what_was_there(path, tmp_path, monkeypatch, number):
    fit = ms.lmer(FORMULA, path)
    (tmp_path / "out").write_text("old")

    def refuse(*_args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(pq.ParquetWriter, "write_table", refuse)
    with pytest.raises(ms.StorageError, match=rf"out cannot be written: {os.strerror(number)}"):
        fit.stream_predictions(tmp_path / "out")
    assert (tmp_path / "out").read_text() == "old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["data.parquet", "out"]


def test_a_stamp_tells_contents_from_names(path, tmp_path):
    before = Stamp.of(str(path))
    shutil.copy(path, tmp_path / "copy.parquet")
    assert Stamp.of(str(tmp_path / "copy.parquet")).has_contents_of(before)
    rewritten(path)
    assert not Stamp.of(str(path)).has_contents_of(before)


SPILLING = """
import time
from mixedsparse.data.sources.duck import embedded_duckdb
run = embedded_duckdb(False)
run("SET memory_limit = '60MB'")
run("CREATE TABLE t AS SELECT random() AS a, random()::VARCHAR AS b FROM range(2000000)")
print("spilled", flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(os.name != "posix", reason="locks of folders")
@pytest.mark.slow
def test_what_a_killed_process_has_spilled_goes_and_that_of_a_living_one_stays(tmp_path, path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    start = partial(subprocess.Popen, [sys.executable, "-c", SPILLING], env=environment, stdout=subprocess.PIPE)

    def folders():
        return {entry for entry in os.listdir(tmp_path) if entry.startswith("mixedsparse-")}

    with start() as killed:
        assert killed.stdout.readline() == b"spilled\n"
        left = folders()
        assert len(left) == 1
        assert os.listdir(tmp_path / next(iter(left)))
        killed.kill()
    with start() as living:
        assert living.stdout.readline() == b"spilled\n"
        used = folders()
        assert len(used) == 1
        assert used != left
        ms.lmer(FORMULA, path)
        gc.collect()
        assert folders() == used
        assert os.listdir(tmp_path / next(iter(used)))
        living.kill()
    ms.lmer(FORMULA, path)
    gc.collect()
    assert folders() == set()
