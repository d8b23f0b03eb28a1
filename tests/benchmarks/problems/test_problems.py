"""The problem table says of its data and formulas what is true."""

import re
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from formulaic import Formula, model_matrix

from benchmarks.contest.engines.registry import ENGINES
from benchmarks.problems import PROBLEMS, Problem, select, simulate

BAR = re.compile(r"\(([^|()]+)\|([^|()]+)\)")
SOME_ROWS = 1000  # enough for every level of every factor of the fixed parts to be a category
LARGE = 500_000  # rows from which on data take seconds to simulate


@cache
def frame_of(problem: Problem) -> pd.DataFrame:
    return problem.load()


every_problem = pytest.mark.parametrize(
    "problem", [pytest.param(p, id=p.name, marks=[pytest.mark.slow] * (p.n > LARGE)) for p in PROBLEMS]
)


def levels_of(frame: pd.DataFrame, group: str) -> int:
    """Number of combinations that occur, of ``a:b`` too."""
    return len(frame[group.strip().split(":")].drop_duplicates())


def test_names_are_unique():
    assert len({problem.name for problem in PROBLEMS}) == len(PROBLEMS)


@every_problem
def test_declared_sizes_are_those_of_formula_and_data(problem):
    frame = frame_of(problem)
    bars = [(len(Formula(effects)), group.strip()) for effects, group in BAR.findall(problem.formula)]
    fixed = BAR.sub("0", problem.formula).partition("~")[2].replace("+ 0", "")
    assert len(frame.dropna()) == problem.n
    assert sum(k * levels_of(frame, group) for k, group in bars) == problem.q
    assert sum(k * (k + 1) // 2 for k, _ in bars) == problem.n_theta
    assert model_matrix(fixed, frame.head(SOME_ROWS)).shape[1] == problem.p


@every_problem
def test_grouping_columns_arrive_as_categories(problem):
    frame = frame_of(problem)
    groups = {name.strip() for _, group in BAR.findall(problem.formula) for name in group.split(":")}
    assert groups <= set(problem.factors)
    assert all(frame[name].dtype == "category" for name in problem.factors)


@every_problem
def test_random_terms_are_written_by_decreasing_number_of_levels(problem):
    levels = [levels_of(frame_of(problem), group) for _, group in BAR.findall(problem.formula)]
    assert all(more >= fewer for more, fewer in pairwise(levels))  # then all engines order theta alike


@every_problem
def test_targets_name_engines(problem):
    assert set(problem.targets) <= set(ENGINES)


def test_select_keeps_the_order_of_the_table_and_refuses_unknown_names():
    assert [problem.name for problem in select(["kb07", "sleepstudy"])] == ["sleepstudy", "kb07"]
    assert select() == PROBLEMS
    with pytest.raises(ValueError, match=r"No problem is called \['insteval'\]"):
        select(["insteval"])


def test_psych_reproduces_its_data_and_is_balanced():
    frame = simulate.psych(60)
    assert frame.groupby(["subj", "item", "A", "B"]).size().eq(4).all()
    assert float(frame["y"].sum()) == pytest.approx(35436911.83023974, rel=1e-12)


def test_ratings_reproduce_their_data_and_are_distinct_pairs_that_use_every_level():
    frame = simulate.ratings(1, n_ratings=50_000, n_user=1000, n_item=600)
    pairs = frame["user"].to_numpy() * 600 + frame["item"].to_numpy()
    assert np.unique(pairs).size == len(frame) == 50_000
    assert (frame["user"].nunique(), frame["item"].nunique()) == (1000, 600)
    assert (int(pairs @ np.arange(pairs.size) % 1_000_003), float(frame["y"].sum())) == (968300, 176108.0)
    frequency = np.sort(frame["item"].value_counts())[::-1]
    assert 0.3 < frequency[:60].sum() / len(frame) < 0.45


def test_star_has_pupils_with_a_teacher_a_year_and_teachers_with_one_school_and_grade():
    frame = simulate.star(3, n_school=5, n_pupil=400)
    assert not frame.duplicated(["pupil", "grade"]).any()
    by_pupil, by_teacher = frame.groupby("pupil"), frame.groupby("teacher")
    assert (by_pupil["teacher"].nunique() == by_pupil.size()).all()
    assert by_pupil["grade"].agg(lambda grades: (grades.diff().dropna() == 1).all()).all()
    assert (by_teacher[["school", "grade", "small"]].nunique() == 1).all(axis=None)
    assert 0 < (by_pupil["school"].nunique() > 1).mean() < 0.2
    assert (len(frame), float(frame["math"].sum())) == (929, 514942.0)


def test_seeds_give_other_data():
    assert not simulate.psych(1, 5, 5).equals(simulate.psych(2, 5, 5))


def test_families_differ_in_one_thing_only():
    ratings = [problem for problem in PROBLEMS if problem.family == "ratings"]
    theta = [problem for problem in PROBLEMS if problem.family == "theta"]
    assert len({problem.formula for problem in ratings}) == 1
    assert len({problem.n for problem in theta}) == 1
    assert [problem.n_theta for problem in theta] == sorted(problem.n_theta for problem in theta)
