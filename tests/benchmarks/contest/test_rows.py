"""The schema of the results file."""

from dataclasses import fields, replace

import pytest

from benchmarks.contest.rows import CRITERION_TOLERANCE, Row, judged, merged
from tests.benchmarks.sample_rows import row as sample

COLUMNS = (
    "date machine cores problem engine version method n q p n_theta nnz_L threads repetitions limit budget "
    "load seconds seconds_min seconds_max cpu_seconds evaluations criterion reported excess peak_mb other_seconds "
    "table_seconds table_seconds_min table_repetitions df table_error error"
)


@pytest.fixture
def row() -> Row:
    return sample("sleepstudy", "lme4", 0.012)


def test_schema_is_fixed():
    assert " ".join(field.name for field in fields(Row)) == COLUMNS


def test_an_engine_above_the_best_criterion_is_told_from_one_at_it(row):
    assert not row.stops_above
    assert not replace(row, excess=None).stops_above
    assert replace(row, excess=2 * CRITERION_TOLERANCE).stops_above


def test_new_rows_take_the_place_of_old_ones_in_the_order_of_the_lists(row):
    old = [replace(row, problem=problem, engine=engine) for problem in "ba" for engine in "yx"]
    new = [replace(row, problem="a", engine="y", seconds=7.0), replace(row, problem="c", engine="x")]
    found = merged(old, new, ["a", "b", "c"], ["x", "y"])
    assert [r.problem + r.engine for r in found] == ["ax", "ay", "bx", "by", "cx"]
    assert [r.seconds == 7.0 for r in found] == [False, True, False, False, False]


def test_excess_is_towards_the_lowest_of_rows_and_table_by_method(row):
    rows = [replace(row, criterion=criterion, excess=None) for criterion in (100.0, 100.5)]
    rows.append(replace(row, method="ML", criterion=90.0, excess=None))
    assert [r.excess for r in judged(rows, {})] == [0.0, 0.5, 0.0]
    assert [r.excess for r in judged(rows, {("sleepstudy", "REML"): 99.0})] == [1.0, 1.5, 0.0]
    failed = replace(row, criterion=None, excess=None)
    assert judged([failed], {}) == [failed]


def test_a_best_criterion_known_to_one_row_counts_for_all(row):
    rows = [replace(row, criterion=100.0, excess=2.0), replace(row, criterion=99.0, excess=None)]
    assert [r.excess for r in judged(rows, {})] == [2.0, 1.0]
