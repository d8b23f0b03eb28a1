"""The benchmark of many responses: what it simulates, and the row that it writes."""

from __future__ import annotations

import csv

from benchmarks.many import main, simulate


def test_responses_are_those_of_a_crossed_design():
    data, Y = simulate(3, subjects=5, items=4)
    assert Y.shape == (20, 3)
    assert data.groupby(["s", "i"]).size().eq(1).all()


def test_a_row_is_written(tmp_path):
    assert main(["--responses", "4", "--sample", "0", "--jobs", "1", "--out", str(tmp_path / "many.csv")]) == 0
    (row,) = csv.DictReader((tmp_path / "many.csv").read_text(encoding="utf-8").splitlines())
    assert row["responses"] == "4"
    assert float(row["mixedsparse_seconds"]) > 0.0
