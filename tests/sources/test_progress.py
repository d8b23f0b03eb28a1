"""Aggregation reports how far it is, and ends at Ctrl-C."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.data.sources import sums


def test_queries_are_counted(path):
    told = []
    ms.LinearMixedModel("y ~ x + f + (1 | g) + (1 | h)", path, progress=lambda *step: told.append(step))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert all(done < total for done, total in told)
    assert told[-1][1] - told[-1][0] <= 3


@pytest.mark.parametrize(
    ("formula", "options", "readings"),
    [
        ("y ~ x + (1 | g)", {}, 3),
        ("y ~ x + f + scale(year) + (1 + x | g) + (1 | h)", {"weights": "w", "offset": "o"}, 3),
        ("y ~ x + (1 | g / k) + (1 | h)", {}, 3),
        ("y ~ yes + (1 | g)", {}, 3),
    ],
)
def test_how_often_a_source_is_read(path, formula, options, readings):
    """Levels; counts and moments; sums."""
    told = []
    ms.LinearMixedModel(formula, path, **options, progress=lambda *step: told.append(step))
    assert len(told) == readings


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
@pytest.mark.parametrize("weights", [None, "w"])
def test_pairs_of_levels_that_hardly_repeat_are_read_row_by_row(frame, tmp_path, monkeypatch, weights):
    """Which is one reading more; grouping them would take the memory that it is meant to save."""
    monkeypatch.setattr(sums, "_FEW", 100)
    rng = np.random.default_rng(4)
    many, more = (rng.integers(0, 100, len(frame)) for _ in range(2))
    frame.assign(many=many, more=more).to_parquet(tmp_path / "data.parquet")
    told, formula = [], "y ~ x + (1 | many) + (x | more)"
    path = tmp_path / "data.parquet"
    found = ms.LinearMixedModel(formula, path, weights=weights, progress=lambda *step: told.append(step))
    assert len(told) == 4
    wanted = ms.lmer(formula, pd.read_parquet(path), weights=weights)
    assert found.fit().criterion == pytest.approx(wanted.criterion, rel=1e-11)


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_groups_that_are_too_many_for_one_reading_are_shared_out(path, frame, monkeypatch):
    monkeypatch.setattr(sums, "_TOGETHER", 100)
    told, formula = [], "y ~ x + f + (1 | g) + (1 | h)"
    found = ms.LinearMixedModel(formula, path, progress=lambda *step: told.append(step))
    assert len(told) == 5
    assert found.fit().criterion == pytest.approx(ms.lmer(formula, frame).criterion, rel=1e-11)


def test_interrupt(path):
    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ms.LinearMixedModel("y ~ x + (1 | g)", path, progress=stop)


def test_progress_of_a_fit_is_not_that_of_the_aggregation(path):
    lines = []
    with pytest.warns(ms.DroppedRowsWarning):
        ms.lmer("y ~ x + (1 | g)", path, progress=lines.append)
    assert lines[0].number >= 0
