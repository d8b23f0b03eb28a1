"""The schema of the results file."""

from dataclasses import fields, replace

import pytest

from benchmarks.rows import CRITERION_TOLERANCE, ColdRow, Row, cores, machine, read_rows, write_rows

COLUMNS = (
    "date machine cores problem engine version n q p n_theta threads repetitions seconds seconds_min seconds_max "
    "cpu_seconds evaluations criterion excess peak_mb error"
)


@pytest.fixture
def row() -> Row:
    return Row(
        date="2026-11-21",
        machine="A processor, with a comma",
        cores=2,
        problem="sleepstudy",
        engine="lme4",
        version="1.1-31 (R 4.2.2)",
        n=180,
        q=36,
        p=2,
        n_theta=3,
        threads=2,
        repetitions=3,
        seconds=0.1 + 0.2,
        seconds_min=0.011,
        seconds_max=0.013,
        cpu_seconds=0.012,
        evaluations=43,
        criterion=1743.6282719599519,
        excess=1.4e-9,
        peak_mb=215.25,
    )


def test_schema_is_fixed():
    assert " ".join(field.name for field in fields(Row)) == COLUMNS


def test_rows_survive_the_file_exactly(row, tmp_path):
    failed = replace(row, version=None, seconds=None, criterion=None, error='worker said "no"\nand ended')
    path = tmp_path / "new" / "rows.csv"
    write_rows([row, failed], path)
    assert read_rows(path, Row) == [row, failed]


def test_cold_rows_survive_the_file(tmp_path):
    cold = ColdRow(
        date="2026-11-21", machine="m", measure="import", repetitions=5, seconds=0.3, seconds_min=0.2, seconds_max=0.4
    )
    write_rows([cold], tmp_path / "cold.csv")
    assert read_rows(tmp_path / "cold.csv", ColdRow) == [cold]


def test_a_file_with_other_columns_is_refused(row, tmp_path):
    path = tmp_path / "rows.csv"
    write_rows([row], path)
    path.write_text(path.read_text().replace("excess", "surplus"))
    with pytest.raises(ValueError, match=r"surplus.*Run the benchmarks again"):
        read_rows(path, Row)


def test_an_engine_above_the_best_criterion_is_told_from_one_at_it(row):
    assert not row.stops_above
    assert not replace(row, excess=None).stops_above
    assert replace(row, excess=2 * CRITERION_TOLERANCE).stops_above


def test_machine_is_named():
    assert machine()
    assert cores() >= 1
