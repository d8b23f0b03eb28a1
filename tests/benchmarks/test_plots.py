"""Figures from a small results file."""

import pytest

from benchmarks.contest.engines.registry import ENGINES
from benchmarks.contest.rows import Row
from benchmarks.plots import STYLES, draw, main, series, slope
from benchmarks.problems import select
from benchmarks.shared.records import write_rows
from tests.benchmarks.sample_rows import row

pytest.importorskip("matplotlib")


@pytest.fixture
def rows() -> list[Row]:
    return [
        row("ratings100k", "mixedsparse", 0.1),
        row("ratings10k", "mixedsparse", 0.01),
        row("ratings10k", "lme4", 0.2),
        row("ratings100k", "lme4", 20.0, excess=3.0),
        row("ratings1m", "lme4", None, error="not finished within 600 s"),
        row("psych60_a", "lme4", 3.0),
        row("sleepstudy", "mixedlm", 3.0),
    ]


def test_series_are_by_engine_and_size(rows):
    lines = series(rows, select(["ratings10k", "ratings100k", "ratings1m"]), lambda problem: problem.n)
    assert lines == {
        "mixedsparse": [(10_000, 0.01, False), (100_000, 0.1, False)],
        "lme4": [(10_000, 0.2, False), (100_000, 20.0, True)],
    }


def test_slope_is_of_solutions_only():
    points = [(10.0, 1.0, False), (100.0, 100.0, False), (1000.0, 5.0, True)]
    assert slope(points) == pytest.approx(2.0)
    assert slope(points[1:]) is None
    assert slope([points[0], points[0]]) is None


def test_every_engine_has_its_style():
    assert list(STYLES) == list(ENGINES)


def test_figures_are_small_legible_and_the_same_again(rows, tmp_path):
    size, theta = draw(rows, tmp_path / "first")
    again, _ = draw(rows, tmp_path / "second")
    text = size.read_text(encoding="utf-8")
    assert text == again.read_text(encoding="utf-8")
    assert (size.name, theta.name) == ("size.svg", "theta.svg")
    assert "mixedsparse: slope 1.00" in text
    assert "stops above the optimum" in text
    assert "lme4: slope" not in text
    assert len(text) < 60_000


def test_a_family_without_results_has_no_figure(rows, tmp_path):
    assert [path.name for path in draw(rows[:4], tmp_path)] == ["size.svg"]
    assert draw(rows[-1:], tmp_path / "none") == []


def test_command_line_draws_from_the_file(rows, tmp_path, capsys):
    write_rows(rows, tmp_path / "rows.csv")
    assert main(["--csv", str(tmp_path / "rows.csv"), "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "size.svg"), str(tmp_path / "theta.svg")]
