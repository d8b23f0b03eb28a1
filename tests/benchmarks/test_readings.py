"""Large files by this tree and by others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import mixedsparse as ms
from benchmarks import readings


def test_every_model_fits_the_file_that_is_written(tmp_path):
    readings.write(tmp_path / "rows.parquet", 3_000)
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert len(rows) == 3_000
    assert rows["f50"].nunique() == 50
    for formula in readings.MODELS.values():
        assert ms.LinearMixedModel(formula, rows).problem.n == 3_000


@pytest.mark.parametrize(("seconds", "status"), [(1.0, 0), (61.0, 1)])
def test_what_takes_longer_than_the_bar_has_status_one(seconds, status, monkeypatch, capsys):
    found = {"seconds": seconds, "read": 0.5, "cpu_seconds": 1.0, "peak_mb": 100.0, "llf": -3.0}
    asked: list[Path] = []
    monkeypatch.setattr(readings, "measure", lambda tree, *_: asked.append(tree) or found)
    assert readings.main(["--rows", "1000", "--models", "few", "--tree", "/before", "--bar", "60"]) == status
    assert [tree.name for tree in asked] == ["before", Path(readings.__file__).parents[1].name]
    assert capsys.readouterr().out.count("log L -3.0000") == 2
