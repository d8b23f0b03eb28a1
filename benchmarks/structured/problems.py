"""The structured models that are timed: one simulated data set for each, what R's programs write, and the bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

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


def _days() -> pd.DataFrame:
    """200 groups, 10 days, two rows of each; effects of the days by an autoregression."""
    import pandas as pd

    rng = np.random.default_rng(10)
    groups, k = 200, 10
    lags = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    effects = rng.normal(size=(groups, k)) @ np.linalg.cholesky(0.6**lags).T
    g, day = np.repeat(np.arange(groups), 2 * k), np.tile(np.repeat(np.arange(k), 2), groups)
    x = rng.normal(size=len(g))
    y = 1.0 + 0.5 * x + effects[g, day] + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g, "day": [f"d{i}" for i in day]})


def _series() -> pd.DataFrame:
    """250 series of 20 times: an intercept and autocorrelated residuals."""
    import pandas as pd

    rng = np.random.default_rng(11)
    groups, k = 250, 20
    e = rng.normal(size=(groups, k))
    for t in range(1, k):
        e[:, t] = 0.5 * e[:, t - 1] + np.sqrt(0.75) * e[:, t]
    x = rng.normal(size=groups * k)
    y = 0.3 * x + np.repeat(rng.normal(size=groups), k) + e.ravel()
    return pd.DataFrame({"y": y, "x": x, "g": np.repeat(np.arange(groups), k), "t": np.tile(np.arange(k), groups)})


def _strata() -> pd.DataFrame:
    """250 groups of 20 rows in four strata of other residual variances."""
    import pandas as pd

    rng = np.random.default_rng(12)
    g, s = np.repeat(np.arange(250), 20), rng.integers(0, 4, 5000)
    x = rng.normal(size=5000)
    y = 0.3 * x + rng.normal(size=250)[g] + rng.normal(size=5000) * np.array([1.0, 1.4, 0.7, 2.0])[s]
    return pd.DataFrame({"y": y, "x": x, "g": g, "s": np.array(list("abcd"))[s]})


def _crossed() -> pd.DataFrame:
    """100 subjects by 60 items, each pair once, in two strata."""
    import pandas as pd

    rng = np.random.default_rng(13)
    a, b = np.repeat(np.arange(100), 60), np.tile(np.arange(60), 100)
    x, s = rng.normal(size=6000), rng.integers(0, 2, 6000)
    y = 0.3 * x + rng.normal(size=100)[a] + 0.5 * rng.normal(size=60)[b] + rng.normal(size=6000) * (1.0 + 0.6 * s)
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": b, "s": np.array(["p", "q"])[s]})


def _visits(subjects: int, k: int, missing: float, seed: int) -> pd.DataFrame:
    """Two arms, `k` visits, some missing; an unstructured covariance of the visits."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(0.5 ** np.abs(np.subtract.outer(np.arange(k), np.arange(k))) + 0.3)
    e = rng.normal(size=(subjects, k)) @ (root * np.linspace(1.0, 2.0, k)[:, None]).T
    i, v = np.repeat(np.arange(subjects), k), np.tile(np.arange(k), subjects)
    arm, base = (i % 2), np.repeat(rng.normal(size=subjects), k)
    frame = pd.DataFrame({"y": 0.3 * base + 0.1 * arm * v + e.ravel(), "base": base, "id": i, "visit": v + 1})
    frame["v"], frame["arm"] = [f"v{j:02d}" for j in v], np.where(arm == 1, "B", "A")
    last = np.repeat(rng.geometric(missing, size=subjects) + k // 2, k)
    return frame[(v < last) & (rng.random(len(v)) > missing / 2)].reset_index(drop=True)


def _persons() -> pd.DataFrame:
    """200 persons, 8,000 directed pairs: what one sends and receives is correlated."""
    import pandas as pd

    rng = np.random.default_rng(16)
    s = np.repeat(np.arange(200), 40)
    r = (s + rng.integers(1, 200, 8000)) % 200
    effects = rng.normal(size=(200, 2)) @ np.array([[1.0, 0.5], [0.0, 0.8]])
    x = rng.normal(size=8000)
    y = 0.3 * x + effects[s, 0] + effects[r, 1] + rng.normal(size=8000)
    return pd.DataFrame({"y": y, "x": x, "sender": s, "receiver": r})


def _parents(animals: int) -> pd.DataFrame:
    """Pedigree in generations of a tenth of all animals; 40 sires a generation."""
    import pandas as pd

    rng = np.random.default_rng(17)
    size = animals // 10
    born = np.arange(animals)
    before = (born // size - 1) * size
    sire, dam = before + rng.integers(0, min(40, size // 2), animals), before + rng.integers(size // 2, size, animals)
    known = born >= size
    names = [[f"a{j}" if ok else None for j, ok in zip(column, known, strict=True)] for column in (sire, dam)]
    return pd.DataFrame({"animal": [f"a{i}" for i in born], "sire": names[0], "dam": names[1]})


def _animals(animals: int, rows: int) -> pd.DataFrame:
    """Records of the later generations: additive and permanent effects."""
    import pandas as pd

    rng = np.random.default_rng(18)
    family, size = _parents(animals), animals // 10
    place = {name: i for i, name in enumerate(family["animal"])}
    additive = np.zeros(animals)
    for i, (sire, dam) in enumerate(zip(family["sire"], family["dam"], strict=True)):
        own = rng.normal()
        additive[i] = (
            own if not isinstance(sire, str) else 0.5 * (additive[place[sire]] + additive[place[dam]]) + own * 0.5**0.5
        )
    at = np.sort(rng.integers(size, animals, rows))
    sex, age = np.array(["f", "m"])[at % 2], rng.random(rows)
    y = 0.5 * (at % 2) + age + additive[at] + 0.5 * rng.normal(size=animals)[at] + rng.normal(size=rows)
    return pd.DataFrame({"y": y, "sex": sex, "age": age, "animal": [f"a{i}" for i in at]})


_DAYS: dict[str, Any] = {"loader": _days, "factors": ("g", "day"), "n": 4000, "repetitions": 3}
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
        loader=_series,
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
        loader=_strata,
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
        loader=_crossed,
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
        loader=lambda: _visits(350, 5, 0.2, 14),
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
        loader=lambda: _visits(1000, 10, 0.12, 15),
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
        loader=_persons,
        factors=("sender", "receiver"),
        n=8000,
        n_parameters=6,
        programs={"lme4": _REPLACED},
        seconds=0.1,
    ),
    StructuredProblem(
        name="animals2k",
        formula=_ANIMAL,
        loader=lambda: _animals(2000, 3400),
        parents=lambda: _parents(2000),
        factors=("animal", "sex"),
        n=3400,
        n_parameters=6,
        seconds=0.2,
    ),
    StructuredProblem(
        name="animals10k",
        formula=_ANIMAL,
        loader=lambda: _animals(10_000, 17_000),
        parents=lambda: _parents(10_000),
        factors=("animal", "sex"),
        n=17_000,
        n_parameters=6,
        seconds=1.0,
    ),
)


def select(names: Sequence[str] | None) -> tuple[StructuredProblem, ...]:
    """Problems by name, in the order of the table; all by default."""
    return tuple(problem for problem in PROBLEMS if names is None or problem.name in names)
