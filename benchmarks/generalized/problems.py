"""The generalized models that are timed: bundled data sets, and crossed designs by simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBLEMS", "GeneralizedProblem", "crossed", "maximal", "select"]


@dataclass(frozen=True, kw_only=True, eq=False)
class GeneralizedProblem:
    """A generalized model, its data, and what is asked of mixedsparse on it.

    Parameters
    ----------
    name, formula, family : str
        Key in the results; formula in R's words, with plain columns only; ``"binomial"`` or ``"poisson"``.
    loader : callable
        Returns the data frame; simulated data carry their seed here.
    factors : tuple of str
        Columns that every engine receives as categories.
    n, q, p, n_theta : int
        Rows, random effects, fixed effects, covariance parameters.
    repetitions : int
        Timed calls per engine.
    bars : mapping of str to float
        Least ratio of a rival's processor time to ours.
    tolerance : float
        How far above the lowest criterion known ours may end.
    optional : bool
        Whether only ``--all`` or its name runs it.
    """

    name: str
    formula: str
    loader: Callable[[], pd.DataFrame]
    factors: tuple[str, ...]
    n: int
    q: int
    p: int
    n_theta: int
    family: str = "binomial"
    repetitions: int = 5
    bars: Mapping[str, float] = field(default_factory=dict)
    tolerance: float = 1e-6
    optional: bool = False

    def load(self) -> pd.DataFrame:
        """Return the data with the grouping columns and factors as categories."""
        return self.loader().astype(dict.fromkeys(self.factors, "category"))


# The classes of problems that share bars.
SMALL = {"lme4": 15.0, "glmmTMB": 8.0, "mixedlm": 13.0, "lme-python": 4.0, "gpboost": 5.0}
MAXIMAL = {"lme4": 150.0, "glmmTMB": 15.0, "mixedlm": 60.0, "lme-python": 100.0, "glmm": 20.0}
CROSSED = {"lme4": 30.0, "glmmTMB": 20.0, "mixedlm": 20.0, "lme-python": 60.0, "gpboost": 6.0, "glmm": 3.0}
MILLION = {"lme4": 30.0, "glmmTMB": 20.0, "gpboost": 4.0, "glmm": 3.0}
# Largest evaluations of ours on any of these problems.
MOST_EVALUATIONS = 14


def _cbpp() -> pd.DataFrame:
    frame = _bundled("cbpp").astype({"herd": str, "period": str})
    return frame.assign(healthy=frame["size"] - frame["incidence"])


def _contraception() -> pd.DataFrame:
    frame = _bundled("Contraception")
    return frame.assign(use=(frame["use"] == "Y").astype(int), age2=frame["age"] ** 2)


def _grouseticks() -> pd.DataFrame:
    return _bundled("grouseticks").astype(dict.fromkeys(("YEAR", "BROOD", "INDEX", "LOCATION"), str))


def _verbagg() -> pd.DataFrame:
    frame = _bundled("VerbAgg")
    return frame.assign(r2=(frame["r2"] == "Y").astype(int))


def _bundled(name: str) -> pd.DataFrame:
    import mixedsparse as ms

    return ms.datasets.load(name)


def maximal(subjects: int, seed: int = 7) -> pd.DataFrame:
    """Simulate 2 x 2 conditions of `subjects` subjects on as many items; both covariances have zero directions."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    s = np.repeat(np.arange(subjects), subjects * 4)
    i = np.tile(np.repeat(np.arange(subjects), 4), subjects)
    a, b = (np.tile(signs, subjects * subjects) for signs in ([-0.5, -0.5, 0.5, 0.5], [-0.5, 0.5, -0.5, 0.5]))
    X = np.column_stack([np.ones(len(s)), a, b, a * b])
    by_subject = np.array([[0.8, 0, 0, 0], [0.2, 0.3, 0, 0], [0.1, 0.1, 0, 0], [0, 0.1, 0, 0]])
    by_item = np.array([[0.5, 0, 0, 0], [0.1, 0.2, 0, 0], [0.1, 0, 0.1, 0], [0, 0.1, 0, 0]])
    effects = (rng.normal(size=(subjects, 4)) @ factor.T for factor in (by_subject, by_item))
    random = sum(values[codes] for values, codes in zip(effects, (s, i), strict=True))
    eta = 0.3 + 0.5 * a + np.einsum("ij,ij->i", X, random)
    y = (rng.random(len(s)) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"y": y, "a": a, "b": b, "ab": a * b, "s": s, "i": i})


def crossed(rows: int, subjects: int, items: int, seed: int = 1) -> pd.DataFrame:
    """Simulate binary responses of subjects to items that meet at random, every level at least once."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    s, i = (rng.permutation(np.concatenate([np.arange(k), rng.integers(k, size=rows - k)])) for k in (subjects, items))
    x, c = rng.normal(size=rows), rng.integers(0, 2, size=rows) - 0.5
    eta = 0.5 + 0.3 * x + 0.4 * c + rng.normal(size=subjects)[s] + 0.6 * rng.normal(size=items)[i]
    y = (rng.random(rows) < 1 / (1 + np.exp(-eta))).astype(int)
    return pd.DataFrame({"y": y, "x": x, "c": c, "s": s, "i": i})


MAXIMAL_FORMULA = "y ~ a + b + ab + (1 + a + b + ab | s) + (1 + a + b + ab | i)"
CROSSED_FORMULA = "y ~ x + c + (1 | s) + (1 | i)"

PROBLEMS = (
    GeneralizedProblem(
        name="cbpp",
        formula="cbind(incidence, healthy) ~ period + (1 | herd)",
        loader=_cbpp,
        factors=("herd", "period"),
        n=56,
        q=15,
        p=4,
        n_theta=1,
        repetitions=20,
        bars={**SMALL, "glmm": 1.0},
    ),
    GeneralizedProblem(
        name="contraception",
        formula="use ~ age + age2 + urban + livch + (1 + urban | district)",
        loader=_contraception,
        factors=("urban", "livch", "district"),
        n=1934,
        q=120,
        p=7,
        n_theta=3,
        repetitions=15,
        bars={**SMALL, "glmm": 1.0},
    ),
    GeneralizedProblem(
        name="grouseticks",
        formula="TICKS ~ YEAR + cHEIGHT + (1 | INDEX) + (1 | BROOD) + (1 | LOCATION)",
        loader=_grouseticks,
        factors=("YEAR", "INDEX", "BROOD", "LOCATION"),
        family="poisson",
        n=403,
        q=584,
        p=4,
        n_theta=3,
        repetitions=15,
        bars={**SMALL, "glmm": 1.0},
    ),
    GeneralizedProblem(
        name="verbagg",
        formula="r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)",
        loader=_verbagg,
        factors=("Gender", "btype", "situ", "id", "item"),
        n=7584,
        q=340,
        p=6,
        n_theta=2,
        repetitions=10,
        bars={**SMALL, "glmm": 2.0},
    ),
    GeneralizedProblem(
        name="maximal6k",
        formula=MAXIMAL_FORMULA,
        loader=lambda: maximal(40),
        factors=("s", "i"),
        n=6400,
        q=320,
        p=4,
        n_theta=20,
        bars=MAXIMAL,
    ),
    GeneralizedProblem(
        name="maximal58k",
        formula=MAXIMAL_FORMULA,
        loader=lambda: maximal(120),
        factors=("s", "i"),
        n=57_600,
        q=960,
        p=4,
        n_theta=20,
        repetitions=3,
        bars=MAXIMAL,
    ),
    GeneralizedProblem(
        name="crossed100k",
        formula=CROSSED_FORMULA,
        loader=lambda: crossed(100_000, 1_000, 400),
        factors=("s", "i"),
        n=100_000,
        q=1_400,
        p=3,
        n_theta=2,
        repetitions=3,
        bars=CROSSED,
        tolerance=1e-5,
    ),
    GeneralizedProblem(
        name="crossed1m",
        formula=CROSSED_FORMULA,
        loader=lambda: crossed(1_000_000, 5_000, 2_000),
        factors=("s", "i"),
        n=1_000_000,
        q=7_000,
        p=3,
        n_theta=2,
        repetitions=1,
        bars=MILLION,
        tolerance=1e-5,
        optional=True,
    ),
    GeneralizedProblem(
        name="words2.7m",
        formula=CROSSED_FORMULA,
        loader=lambda: crossed(2_700_000, 80_000, 814),
        factors=("s", "i"),
        n=2_700_000,
        q=80_814,
        p=3,
        n_theta=2,
        repetitions=1,
        tolerance=1e-5,
        optional=True,
    ),
)


def select(names: list[str] | None, everything: bool = False) -> list[GeneralizedProblem]:
    """Return the problems of these names, or all but the optional ones."""
    if names is not None:
        return [problem for problem in PROBLEMS if problem.name in names]
    return [problem for problem in PROBLEMS if everything or not problem.optional]
