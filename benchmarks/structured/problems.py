"""The structured models that are timed: one simulated data set for each, what R's programs write, and the bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.structured import simulate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PROBLEMS", "StructuredProblem", "select"]

# lme4 with Z replaced: 200 persons in two roles share the covariance (2 x 2) of their effects.
_REPLACED = """{
  p <- lFormula(y ~ x + (0 + one + two | person), transform(d, one = 1, two = 1, person = sender))
  lev <- levels(d$sender); i <- rep(seq_len(nrow(d)), 2)
  j <- c(2 * as.integer(d$sender) - 1, 2 * as.integer(factor(d$receiver, lev)))
  p$reTrms$Zt <- Matrix::t(Matrix::sparseMatrix(i, j, x = 1, dims = c(nrow(d), 2 * length(lev))))
  f <- do.call(mkLmerDevfun, p); mkMerMod(environment(f), optimizeLmer(f), p$reTrms, p$fr)
}"""


@dataclass(frozen=True, kw_only=True, eq=False)
class StructuredProblem:
    """A model, its data, and what is asked of mixedsparse on it.

    Parameters
    ----------
    name, formula : str
        Key in the results; the formula of `mixedsparse.lmer`.
    loader : callable
        Returns the data frame; simulated data carry their seed here.
    factors : tuple of str
        Columns that every program receives as categories.
    options : mapping
        Further arguments of `mixedsparse.lmer`.
    parents : callable, optional
        Returns the pedigree of the column ``animal``.
    programs : mapping of str to str
        Program of R -> the call, for a data frame ``d``.
    n, n_parameters : int
        Rows; coefficients and parameters of covariances.
    repetitions : int
        Timed calls per program.
    bars : mapping of str to float
        Least ratio of a program's processor time to ours.
    seconds : float, optional
        Most processor time of ours.
    evaluations : int, optional
        Most evaluations of ours.
    """

    name: str
    formula: str
    loader: Callable[[], pd.DataFrame]
    factors: tuple[str, ...]
    n: int
    n_parameters: int
    options: Mapping[str, Any] = field(default_factory=dict)
    parents: Callable[[], pd.DataFrame] | None = None
    programs: Mapping[str, str] = field(default_factory=dict)
    repetitions: int = 5
    bars: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None
    evaluations: int | None = None

    def load(self) -> pd.DataFrame:
        """Return the data with grouping columns and factors as categories."""
        return self.loader().astype(dict.fromkeys(self.factors, "category"))


_DAYS: dict[str, Any] = {"loader": simulate.days, "factors": ("g", "day"), "n": 4000, "repetitions": 3}
_ANIMAL = "y ~ sex + age + (1 | rel(animal)) + (1 | animal)"

PROBLEMS: tuple[StructuredProblem, ...] = (
    StructuredProblem(
        name="ar1",
        formula="y ~ x + ar1(0 + day | g)",
        n_parameters=5,
        programs={"glmmTMB": "glmmTMB(y ~ x + ar1(0 + day | g), d, REML = TRUE)"},
        bars={"glmmTMB": 20.0},
        seconds=0.15,
        **_DAYS,
    ),
    StructuredProblem(
        name="cs",
        formula="y ~ x + cs(0 + day | g)",
        n_parameters=14,
        programs={"glmmTMB": "glmmTMB(y ~ x + cs(0 + day | g), d, REML = TRUE)"},
        bars={"glmmTMB": 20.0},
        seconds=0.2,
        **_DAYS,
    ),
    StructuredProblem(
        name="rr2",
        formula="y ~ x + rr(0 + day | g, d=2)",
        n_parameters=22,
        programs={"glmmTMB": "glmmTMB(y ~ x + rr(0 + day | g, d = 2), d, REML = TRUE)"},
        seconds=0.3,
        **_DAYS,
    ),
    StructuredProblem(
        name="intercept_ar1",
        formula="y ~ x + (1 | g)",
        options={"residual": "ar1(t | g)"},
        loader=simulate.series,
        factors=("g",),
        n=5000,
        n_parameters=5,
        programs={"nlme": "lme(y ~ x, d, random = ~ 1 | g, correlation = corAR1(form = ~ t | g))"},
        seconds=0.05,
    ),
    StructuredProblem(
        name="strata",
        formula="y ~ x + (1 | g)",
        options={"dispersion": "~ s"},
        loader=simulate.strata,
        factors=("g", "s"),
        n=5000,
        n_parameters=7,
        programs={
            "nlme": "lme(y ~ x, d, random = ~ 1 | g, weights = varIdent(form = ~ 1 | s))",
            "glmmTMB": "glmmTMB(y ~ x + (1 | g), d, dispformula = ~ s, REML = TRUE)",
        },
        seconds=0.03,
    ),
    StructuredProblem(
        name="crossed_strata",
        formula="y ~ x + (1 | a) + (1 | b)",
        options={"dispersion": "~ s"},
        loader=simulate.crossed,
        factors=("a", "b", "s"),
        n=6000,
        n_parameters=6,
        programs={"glmmTMB": "glmmTMB(y ~ x + (1 | a) + (1 | b), d, dispformula = ~ s, REML = TRUE)"},
        bars={"glmmTMB": 50.0},
        seconds=0.04,
    ),
    StructuredProblem(
        name="us5",
        formula="y ~ base + arm * v",
        options={"residual": "us(v | id)"},
        loader=lambda: simulate.visits(350, 5, 0.2, 14),
        factors=("id", "v", "arm"),
        n=1373,
        n_parameters=26,
        programs={
            "nlme": "gls(y ~ base + arm * v, d, corSymm(form = ~ visit | id), varIdent(form = ~ 1 | v))",
            "glmmTMB": "glmmTMB(y ~ base + arm * v + us(0 + v | id), d, dispformula = ~ 0, REML = TRUE)",
        },
        seconds=0.1,
        repetitions=3,
    ),
    StructuredProblem(
        name="us10",
        formula="y ~ base + arm * v",
        options={"residual": "us(v | id)"},
        loader=lambda: simulate.visits(1000, 10, 0.12, 15),
        factors=("id", "v", "arm"),
        n=8431,
        n_parameters=76,
        programs={"glmmTMB": "glmmTMB(y ~ base + arm * v + us(0 + v | id), d, dispformula = ~ 0, REML = TRUE)"},
        seconds=1.2,
        evaluations=10,
        repetitions=2,
    ),
    StructuredProblem(
        name="roles",
        formula="y ~ x + (1 | roles(sender, receiver))",
        loader=simulate.persons,
        factors=("sender", "receiver"),
        n=8000,
        n_parameters=6,
        programs={"lme4": _REPLACED},
        seconds=0.1,
    ),
    StructuredProblem(
        name="animals2k",
        formula=_ANIMAL,
        loader=lambda: simulate.animals(2000, 3400),
        parents=lambda: simulate.parents(2000),
        factors=("animal", "sex"),
        n=3400,
        n_parameters=6,
        seconds=0.2,
    ),
    StructuredProblem(
        name="animals10k",
        formula=_ANIMAL,
        loader=lambda: simulate.animals(10_000, 17_000),
        parents=lambda: simulate.parents(10_000),
        factors=("animal", "sex"),
        n=17_000,
        n_parameters=6,
        seconds=1.0,
    ),
)


def select(names: Sequence[str] | None) -> tuple[StructuredProblem, ...]:
    """Problems by name, in the order of the table; all by default."""
    return tuple(problem for problem in PROBLEMS if names is None or problem.name in names)
