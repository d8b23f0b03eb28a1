"""The table of calls on Parquet files, from rows that are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.beyond.problems import AGGREGATION, RATINGS
from benchmarks.beyond.report import growth, render, render_file
from benchmarks.beyond.rows import BeyondRow
from benchmarks.shared.records import write_rows

SMALL = BeyondRow(
    date="2026-11-21",
    machine="Test CPU",
    threads=2,
    version="1.2",
    problem=RATINGS.name,
    size=RATINGS.sizes[0],
    n=1_000_000,
    levels="6280x2638",
    file_mb=8.6,
    peak_mb=400.0,
    seconds=4.0,
    cpu_seconds=6.0,
    solver="direct",
    evaluations=4,
    mc_share=None,
)
LARGE = replace(
    SMALL, size=256_000_000, n=16_000_000, peak_mb=2000.0, seconds=32.0, solver="iterative", mc_share=0.0052
)
SUMS = replace(
    SMALL, problem=AGGREGATION.name, size=AGGREGATION.sizes[-1], n=100_000_000, solver=None, evaluations=None
)


def test_rows_with_a_bar_have_it_beside_the_figure():
    small, large, sums = (line for line in render([SMALL, LARGE, SUMS]).splitlines() if line.startswith("| r"))
    assert "| 4 s | 6 s | 0.42 GB | direct, 4 evaluations |" in small
    assert "| **32 s** (≤ 360 s) | 6 s | **2.10 GB** (≤ 6 GB) | iterative, 4 evaluations, MC 0.52 % |" in large
    assert "| 4 s | 6 s | **0.42 GB** (≤ 4 GB) | – |" in sums


def test_a_missed_bar_is_said_to_be_missed():
    text = render([replace(LARGE, seconds=370.0, peak_mb=6000.0)])
    assert "| 370 s (≤ 360 s: missed) |" in text
    assert "| 6.29 GB (≤ 6 GB: missed) |" in text


def test_time_is_held_against_the_rows():
    assert growth([SMALL, LARGE]) == pytest.approx(0.75)
    text = render([LARGE, SMALL])
    assert "Ratings, 1,000,000 to 16,000,000 rows: **8.0** (≤ 16) times as long" in text
    assert "**0.75** (≤ 1)" in text
    assert "20.0 (≤ 16: missed) times as long" in render([SMALL, replace(LARGE, seconds=80.0)])
    assert "times as long" not in render([SMALL, SUMS])


def test_a_change_of_method_hides_no_growth():
    middle = replace(LARGE, size=RATINGS.sizes[1], n=4_000_000, seconds=8.0)
    assert "**0.75** (≤ 1), 1.00 among the iterative ones." in render([SMALL, middle, LARGE])
    assert "among" not in render([SMALL, LARGE])


def test_a_slope_is_that_of_the_line_through_all_sizes():
    rows = [replace(SMALL, n=10**k, seconds=3.0 * 10 ** (0.9 * k)) for k in (3, 4, 6)]
    assert growth(rows) == pytest.approx(0.9)


def test_the_file_makes_the_same_table(tmp_path):
    rows = [SMALL, LARGE, SUMS]
    write_rows(rows, tmp_path / "beyond.csv")
    assert render_file(tmp_path / "beyond.csv") == render(rows)
