"""The one table of benchmark problems: a new problem is one entry.

Formulas are in the spelling that lme4, mixedlm and mixedsparse share. `best_known` is a criterion that was
reached by several optimisers; the runner judges every engine against the lower of it and the best of the run.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.problems import simulate
from benchmarks.problems.problem import Problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBLEMS", "select"]


def _bundled(name: str) -> pd.DataFrame:
    from mixedsparse import datasets

    return datasets.load(name)


def _ratings(name: str, n: int, n_user: int, n_item: int, **others: Any) -> Problem:
    """Ratings of items by users: one structure at several sizes."""
    return Problem(
        name=name,
        formula="y ~ 1 + (1 | user) + (1 | item)",
        loader=partial(simulate.ratings, seed=1997, n_ratings=n, n_user=n_user, n_item=n_item),
        factors=("user", "item"),
        structure="crossed",
        family="ratings",
        n=n,
        q=n_user + n_item,
        p=1,
        n_theta=2,
        **others,
    )


_KB07_EFFECTS = "1 + S + P + C + SP + SC + PC + SPC"

PROBLEMS: tuple[Problem, ...] = (
    Problem(
        name="sleepstudy",
        formula="Reaction ~ Days + (Days | Subject)",
        loader=partial(_bundled, "sleepstudy"),
        factors=("Subject",),
        structure="single-vector",
        n=180,
        q=36,
        p=2,
        n_theta=3,
        best_known=1743.62827196,
        targets={"lme4": 3, "mixedlm": 1},
        repetitions=51,
        quick_repetitions=11,
    ),
    Problem(
        name="penicillin",
        formula="diameter ~ 1 + (1 | plate) + (1 | sample)",
        loader=partial(_bundled, "Penicillin"),
        factors=("plate", "sample"),
        structure="crossed",
        n=144,
        q=30,
        p=1,
        n_theta=2,
        best_known=330.86058899,
        max_evaluations=10,
        repetitions=51,
        quick_repetitions=11,
    ),
    Problem(
        name="dyestuff2",
        formula="Yield ~ 1 + (1 | Batch)",
        loader=partial(_bundled, "Dyestuff2"),
        factors=("Batch",),
        structure="single-vector",
        n=30,
        q=6,
        p=1,
        n_theta=1,
        best_known=161.82827781,
        repetitions=51,
        quick_repetitions=0,
    ),
    Problem(
        name="pastes",
        formula="strength ~ 1 + (1 | sample) + (1 | batch)",
        loader=partial(_bundled, "Pastes"),
        factors=("sample", "batch"),
        structure="nested",
        n=60,
        q=40,
        p=1,
        n_theta=2,
        best_known=246.99074585,
        repetitions=51,
        quick_repetitions=0,
    ),
    Problem(
        name="machines",
        formula="score ~ Machine + (1 | Worker:Machine) + (1 | Worker)",
        loader=partial(_bundled, "Machines"),
        factors=("Worker", "Machine"),
        structure="nested",
        n=54,
        q=24,
        p=3,
        n_theta=2,
        best_known=215.68756801,
        repetitions=51,
        quick_repetitions=11,
    ),
    Problem(
        name="chem97",
        formula="score ~ gcsecnt + (1 | school) + (1 | lea)",
        loader=partial(_bundled, "Chem97"),
        factors=("school", "lea"),
        structure="nested",
        n=31_022,
        q=2541,
        p=2,
        n_theta=2,
        reml=False,
        best_known=141685.56021410,
        targets={"lme4": 8, "mixedlm": 1},
        max_evaluations=10,
        repetitions=21,
        quick_repetitions=5,
    ),
    Problem(
        name="star",
        formula="math ~ grade + small + (1 | pupil) + (1 | teacher) + (1 | school)",
        loader=partial(simulate.star, seed=1985),
        factors=("pupil", "teacher", "school", "grade"),
        structure="crossed",
        n=25_325,
        q=12_360,
        p=5,
        n_theta=3,
        best_known=246300.524912,
        repetitions=7,
        quick_repetitions=3,
    ),
    Problem(
        name="insteval3",
        formula="y ~ service + (1 | s) + (1 | d) + (1 | dept)",
        loader=partial(_bundled, "InstEval"),
        factors=("s", "d", "dept", "service"),
        structure="crossed",
        n=73_421,
        q=4114,
        p=2,
        n_theta=3,
        best_known=237733.834127,
        targets={"lme4": 8, "mixedlm": 3},
        max_evaluations=10,
        repetitions=7,
        quick_repetitions=3,
    ),
    Problem(
        name="insteval_dept_service",
        formula="y ~ 1 + (1 | s) + (1 | d) + (1 | dept:service)",
        loader=partial(_bundled, "InstEval"),
        factors=("s", "d", "dept", "service"),
        structure="crossed",
        n=73_421,
        q=4128,
        p=1,
        n_theta=3,
        best_known=237658.578334,
        repetitions=7,
        quick_repetitions=0,
    ),
    Problem(
        name="insteval_slopes",
        formula="y ~ service + (1 | s) + (1 + service | d) + (1 + service | dept)",
        loader=partial(_bundled, "InstEval"),
        factors=("s", "d", "dept", "service"),
        structure="crossed-vector",
        n=73_421,
        q=5256,
        p=2,
        n_theta=7,
        best_known=237305.742021,
        targets={"lme4": 20, "mixedlm": 5},
    ),
    Problem(
        name="psych60_intercepts",
        formula="y ~ A * B + (1 | subj) + (1 | item)",
        loader=partial(simulate.psych, seed=60),
        factors=("subj", "item"),
        structure="crossed",
        n=57_600,
        q=120,
        p=4,
        n_theta=2,
        best_known=774752.523131,
        family="theta",
        repetitions=7,
        quick_repetitions=3,
    ),
    Problem(
        name="psych60_a",
        formula="y ~ A * B + (A | subj) + (A | item)",
        loader=partial(simulate.psych, seed=60),
        factors=("subj", "item"),
        structure="crossed-vector",
        n=57_600,
        q=240,
        p=4,
        n_theta=6,
        best_known=774430.909122,
        family="theta",
        repetitions=7,
        quick_repetitions=3,
    ),
    Problem(
        name="psych60",
        formula="y ~ A * B + (A * B | subj) + (A * B | item)",
        loader=partial(simulate.psych, seed=60),
        factors=("subj", "item"),
        structure="crossed-vector",
        n=57_600,
        q=480,
        p=4,
        n_theta=20,
        family="theta",
        best_known=774190.528909,
        targets={"lme4": 50, "mixedlm": 2},
        max_evaluations=15,
    ),
    Problem(
        name="kb07",
        formula=f"RTtrunc ~ {_KB07_EFFECTS} + ({_KB07_EFFECTS} | subj) + ({_KB07_EFFECTS} | item)",
        loader=partial(_bundled, "kb07"),
        factors=("subj", "item"),
        structure="crossed-vector",
        n=1790,
        q=704,
        p=8,
        n_theta=72,
        reml=False,
        best_known=28586.317613,
        targets={"lme4": 40},
        max_evaluations=35,
    ),
    _ratings("ratings10k", 10_000, 600, 370, best_known=26914.582731, repetitions=21, quick_repetitions=5),
    _ratings("ratings100k", 100_000, 1910, 1170, best_known=261815.426710, repetitions=7, quick_repetitions=3),
    _ratings(
        "ratings1m",
        1_000_000,
        6040,
        3700,
        best_known=2581530.886087,
        targets={"lme4": 5, "mixedlm": 8},
        max_evaluations=10,
        quick_repetitions=0,
    ),
    _ratings(
        "ratings5m",
        5_000_000,
        60_000,
        10_000,
        reml=False,  # the one rival that finishes has no REML
        best_known=12926744.904614,
        repetitions=2,
        quick_repetitions=0,
    ),
)


def select(names: list[str] | None = None) -> tuple[Problem, ...]:
    """Return the problems called `names`, all of them for None, in the order of the table.

    Raises
    ------
    ValueError
        A name is not in the table.
    """
    known = {problem.name: problem for problem in PROBLEMS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ValueError(f"No problem is called {unknown}. Known problems: {', '.join(known)}.")
    return tuple(problem for problem in PROBLEMS if names is None or problem.name in names)
