"""The tables of docs/benchmarks.md, from a small results file."""

from pathlib import Path

import pytest

from benchmarks.cold import ColdRow
from benchmarks.contest.rows import CANNOT, NOT_RUN, Row
from benchmarks.contest.tables import render, render_short, targets
from benchmarks.inference import InferenceRow
from benchmarks.shared.records import write_rows
from benchmarks.table import (
    BEGIN,
    END,
    INFERENCE_BEGIN,
    INFERENCE_END,
    SHORT_BEGIN,
    SHORT_END,
    main,
    replace_between_markers,
)
from tests.benchmarks.sample_rows import row

GOLDEN = Path(__file__).with_name("golden_table.md")


INFERENCE = InferenceRow(
    date="2026-11-21",
    machine="Test CPU",
    task="profile",
    mixedsparse_version="0.1.0",
    r_versions="lme4 1.1-31 (R 4.2.2)",
    repetitions=5,
    mixedsparse_seconds=0.02,
    mixedsparse_seconds_min=0.018,
    r_seconds=1.2,
    r_seconds_min=1.1,
)


def printed(seconds: float, df: str = "Satterthwaite") -> dict[str, object]:
    return {"table_seconds": seconds, "table_seconds_min": seconds, "table_repetitions": 1, "df": df}


@pytest.fixture
def rows() -> list[Row]:
    return [
        row("sleepstudy", "mixedsparse", 0.002, nnz_L=54, other_seconds=0.003, **printed(0.004)),
        row("sleepstudy", "lme4", 0.0119, evaluations=43, peak_mb=215.0, seconds_min=0.0101, **printed(0.2)),
        row("sleepstudy", "mixedlm", 0.00171, evaluations=18, peak_mb=116.0, threads=1, **printed(0.0025)),
        row("kb07", "mixedsparse", 0.6123, evaluations=38, peak_mb=260.0),
        row("kb07", "lme4", 119.4, evaluations=1765, excess=5.381, peak_mb=223.0, repetitions=1, load=7.5),
        row("kb07", "mixedlm", None, evaluations=None, peak_mb=None, error="not finished within 600 s"),
        row("sleepstudy", "gpboost", None, method="ML", version=None, error=f"{CANNOT}correlated random slopes"),
        row("penicillin", "mixedsparse", 0.004, nnz_L=1234),
        row("penicillin", "gpboost", 0.006, method="ML", evaluations=7, reported=100.54, **printed(0.007, "z")),
        row("penicillin", "mixedlm", 0.001, evaluations=None, excess=0.1),
        row("kb07", "gpboost", None, method="ML", version=None, error=f"{CANNOT}correlated random slopes"),
        row("ratings5m", "lme4", None, date="2026-11-22", error=f"{NOT_RUN}an hour expected"),
        row("psych60", "mixedsparse", 0.2, excess=0.25),
        row("psych60", "lme4", 38.31, evaluations=561, peak_mb=284.0),
    ]


@pytest.fixture
def cold() -> list[ColdRow]:
    sample = ColdRow(
        date="2026-11-21",
        machine="Test CPU",
        measure="`import mixedsparse`",
        repetitions=5,
        seconds=0.345,
        seconds_min=0.3,
        seconds_max=0.4,
    )
    return [sample]


def test_table_is_the_golden_one(rows, cold):
    assert render(rows, cold) + "\n" == GOLDEN.read_text(encoding="utf-8")


def test_targets_are_for_the_makers_alone(rows):
    assert targets(rows) == [
        "sleepstudy, lme4: 6×, target 3×, met",
        "sleepstudy, mixedlm: 0.85×, target 1×, missed",
        "penicillin: 9 evaluations, target at most 10, met",
        "psych60: 9 evaluations, target at most 15, met",
        "kb07, lme4: 195×, target 40×, met",
        "kb07: 38 evaluations, target at most 35, missed",
    ]
    assert "target" not in render(rows)


def test_rivals_that_are_faster_and_right_have_a_note(rows):
    notes = [line for line in render(rows).splitlines() if "slower than" in line or "later than" in line]
    assert notes == [
        "- mixedsparse on sleepstudy: 2 ms, slower than mixedlm (1.71 ms).",
        "- mixedsparse on sleepstudy: printed table in 4 ms, later than mixedlm (2.5 ms).",
    ]
    by_ml = row("kb07", "gpboost", 0.5, method="ML")
    assert "- mixedsparse on kb07: 612 ms, slower than gpboost (500 ms ML)." in render([*rows, by_ml])


def test_rivals_alone_make_a_table_too(rows):
    table = render([r for r in rows if r.engine != "mixedsparse"])
    assert "| – |" in table


def test_no_results_is_an_error():
    with pytest.raises(ValueError, match=r"Run 'python -m benchmarks\.run' first"):
        render([])


def test_only_the_text_between_the_markers_changes():
    text = f"# Title\n\n{BEGIN}\nold\n{END}\n\nmore\n"
    once = replace_between_markers(text, "| new |\n")
    assert once == f"# Title\n\n{BEGIN}\n| new |\n{END}\n\nmore\n"
    assert replace_between_markers(once, "| new |") == once


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}", f"{BEGIN}{END}{END}", f"{BEGIN}{BEGIN}{END}"])
def test_missing_or_repeated_markers_are_an_error(text):
    with pytest.raises(ValueError, match="once each"):
        replace_between_markers(text, "table")


def test_command_line_rewrites_the_page_and_checks_it(rows, tmp_path, capsys):
    csv, page = tmp_path / "rows.csv", tmp_path / "page.md"
    write_rows(rows, csv)
    inference = tmp_path / "inference.csv"
    write_rows([INFERENCE], inference)
    page.write_text(f"before\n{BEGIN}\n{END}\n{INFERENCE_BEGIN}\n{INFERENCE_END}\nafter\n", encoding="utf-8")
    readme = tmp_path / "README.md"
    readme.write_text(f"{SHORT_BEGIN}\n{SHORT_END}\n", encoding="utf-8")
    files = {
        "--csv": csv,
        "--cold": tmp_path / "none.csv",
        "--page": page,
        "--inference": inference,
        "--readme": readme,
    }
    files["--beyond"] = files["--generalized"] = files["--structured"] = files["--cold"]
    arguments = [str(word) for pair in files.items() for word in pair]
    assert main([*arguments, "--check"]) == 1
    assert "Out of date" in capsys.readouterr().err
    assert main([*arguments, "--targets"]) == 0
    assert capsys.readouterr().out == "\n".join(targets(rows)) + "\n"
    assert BEGIN + "\n" + END in page.read_text(encoding="utf-8")
    assert main(arguments) == 0
    assert render(rows) in page.read_text(encoding="utf-8")
    assert "| profile | 20 ms (18 ms) | 1.2 s (1.1 s) | 60× |" in page.read_text(encoding="utf-8")
    assert "![" not in page.read_text(encoding="utf-8")
    assert render_short(rows) in readme.read_text(encoding="utf-8")
    assert main([*arguments, "--check"]) == 0


def test_figures_beside_the_results_are_linked_from_the_page(rows, tmp_path):
    csv, page = tmp_path / "results" / "rows.csv", tmp_path / "page.md"
    write_rows(rows, csv)
    csv.with_name("size.svg").write_text("<svg/>", encoding="utf-8")
    page.write_text(f"{BEGIN}\n{END}\n", encoding="utf-8")
    nowhere = str(tmp_path / "none.csv")
    others = [
        word
        for name in ("--cold", "--inference", "--beyond", "--generalized", "--structured")
        for word in (name, nowhere)
    ]
    readme = tmp_path / "README.md"
    readme.write_text(f"{SHORT_BEGIN}\n{SHORT_END}\n", encoding="utf-8")
    assert main(["--csv", str(csv), "--page", str(page), "--readme", str(readme), *others]) == 0
    links = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("![")]
    assert len(links) == 1
    assert links[0].endswith("(results/size.svg)")
