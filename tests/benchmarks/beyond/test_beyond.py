"""Small files, made and read as the large ones are."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.beyond import answers, lexicon
from benchmarks.beyond.__main__ import main
from benchmarks.beyond.problems import AGGREGATION, ANSWERS
from benchmarks.beyond.rows import BeyondRow
from benchmarks.beyond.worker import measure
from benchmarks.ratings_parquet import ITEMS, ROWS, USERS, levels
from benchmarks.shared.records import read_rows
from benchmarks.table import BEYOND_BEGIN, BEYOND_END

pytest.importorskip("ibis")
pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")


def test_levels_grow_as_the_rows_unless_pairs_run_out():
    assert levels(ROWS) == (USERS, ITEMS)
    assert levels(ROWS // 4) == pytest.approx((USERS / 4, ITEMS / 4), abs=1)
    users, items = levels(5_000)
    assert 5_000 / (users * items) == pytest.approx(1 / 8, rel=0.01)


def test_trials_have_every_subject_in_order_and_one_frequency_per_item(monkeypatch):
    monkeypatch.setattr(lexicon, "BATCH_ROWS", 3_000)
    batches = list(lexicon.trials(10_000))
    assert [len(batch["rt"]) for batch in batches] == [3_000, 3_000, 3_000, 1_000]
    subject, item, frequency = (np.concatenate([b[name] for b in batches]) for name in ("subject", "item", "frequency"))
    assert (np.diff(subject) >= 0).all()
    assert len(np.unique(subject)) == 500
    assert len(np.unique(item)) == len(np.unique(frequency)) == len(np.unique(item + 1j * frequency)) == 20


def test_sums_of_a_small_file(tmp_path):
    path = str(tmp_path / "data.parquet")
    assert lexicon.write(path, 5_000) == 5_000
    answer = measure(AGGREGATION, path, path)
    assert (answer["n"], answer["levels"], answer["solver"]) == (5_000, "354x14", None)
    assert answer["peak_mb"] > 50
    assert answer["seconds"] > 0


def test_a_generalized_model_of_a_small_file(tmp_path):
    path = str(tmp_path / "data.parquet")
    assert answers.write(path, 3_000) == 3_000
    answer = measure(ANSWERS, path, path)
    assert (answer["n"], answer["levels"], answer["solver"]) == (3_000, "120x36", "direct")


def test_a_small_run_writes_file_and_table(tmp_path, capsys):
    out, shown = tmp_path / "beyond.csv", tmp_path / "page.md"
    shown.write_text(f"before\n{BEYOND_BEGIN}\nold\n{BEYOND_END}\nafter\n", encoding="utf-8")
    assert main(["--rows", "4000", "--aggregated", "--answers", "--out", str(out), "--page", str(shown)]) == 0
    (row,) = read_rows(out, BeyondRow)
    assert (row.problem, row.size, row.n, row.levels) == ("ratings", 4_000, 4_000, "276x116")
    assert (row.solver, row.mc_share) == ("direct", None)
    page = shown.read_text(encoding="utf-8")
    assert page.startswith(f"before\n{BEYOND_BEGIN}\nWhole calls")
    assert "old" not in page
    assert "ratings, 4,000 rows: " in capsys.readouterr().out


def test_a_full_disk_is_said_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**9))
    with pytest.raises(SystemExit, match=r"has 1\.0 GB left, a file of 100,000,000 rows .* up to 6\.0 GB"):
        main(["--rows", "--out", str(tmp_path / "beyond.csv")])
    assert not list(tmp_path.iterdir())
