"""The one table of benchmark problems: a new problem is one entry.

Formulas are in the spelling that lme4, mixedlm and mixedsparse share. `best_known` is a criterion that was
reached by several optimisers; the runner judges every engine against the lower of it and the best of the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from benchmarks import simulate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBLEMS", "Problem", "select"]

Structure = Literal["single-vector", "crossed", "crossed-vector", "nested"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """A model and its data, with what is asked of mixedsparse on it.

    Parameters
    ----------
    name : str
        Key of the problem in the results.
    formula : str
        Model formula.
    loader : callable
        Returns the data frame; simulated data carry their seed here.
    factors : tuple of str
        Columns that every engine receives as categories.
    structure : str
        Kind of random part.
    n, q, p, n_theta : int
        Rows, random effects, fixed effects, covariance parameters. An engine with another `p` or
        `n_theta` has fitted another model.
    reml : bool
        Criterion: REML or maximum likelihood.
    best_known : float, optional
        Lowest criterion known.
    targets : mapping of str to float
        Least ratio of a rival's seconds to those of mixedsparse.
    max_evaluations : int, optional
        Most evaluations of the criterion that mixedsparse may take.
    repetitions, quick_repetitions : int
        Timed calls per engine; with ``--quick``, where 0 leaves the problem out.
    limit : float
        Seconds after which one call is given up.
    """

    name: str
    formula: str
    loader: Callable[[], pd.DataFrame]
    factors: tuple[str, ...]
    structure: Structure
    n: int
    q: int
    p: int
    n_theta: int
    reml: bool = True
    best_known: float | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    max_evaluations: int | None = None
    repetitions: int = 3
    quick_repetitions: int = 1
    limit: float = 600.0

    def load(self) -> pd.DataFrame:
        """Return the data with the grouping columns and factors as categories."""
        frame = self.loader()
        return frame.astype({name: "category" for name in self.factors})


def _bundled(name: str) -> pd.DataFrame:
    from mixedsparse import datasets

    return datasets.load(name)


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
        name="psych60",
        formula="y ~ A * B + (A * B | subj) + (A * B | item)",
        loader=partial(simulate.psych, seed=60),
        factors=("subj", "item"),
        structure="crossed-vector",
        n=57_600,
        q=480,
        p=4,
        n_theta=20,
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
    Problem(
        name="ratings1m",
        formula="y ~ 1 + (1 | user) + (1 | item)",
        loader=partial(simulate.ratings, seed=1997),
        factors=("user", "item"),
        structure="crossed",
        n=1_000_000,
        q=9740,
        p=1,
        n_theta=2,
        best_known=2581530.886087,
        targets={"lme4": 5, "mixedlm": 8},
        max_evaluations=10,
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
