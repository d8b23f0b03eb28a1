"""The CSV files of results."""

from dataclasses import dataclass

import pytest

from benchmarks.shared.records import cores, machine, read_rows, write_rows


@dataclass(frozen=True, kw_only=True)
class Record:
    name: str
    count: int | None
    seconds: float | None
    met: bool
    error: str | None = None


RECORD = Record(name="A processor, with a comma", count=2, seconds=0.1 + 0.2, met=True)
FAILED = Record(name="b", count=None, seconds=None, met=False, error='worker said "no"\nand ended')


def test_rows_survive_the_file_exactly(tmp_path):
    path = tmp_path / "new" / "rows.csv"
    write_rows([RECORD, FAILED], path)
    assert read_rows(path, Record) == [RECORD, FAILED]


def test_a_file_with_other_columns_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    write_rows([RECORD], path)
    path.write_text(path.read_text().replace("seconds", "surplus"))
    with pytest.raises(ValueError, match=r"surplus.*Run the benchmarks again"):
        read_rows(path, Record)


def test_machine_is_named():
    assert machine()
    assert cores() >= 1
