"""Cases that are fitted by both packages, each once, and how near statsmodels comes."""

from __future__ import annotations

import contextlib
import warnings
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from mixedsparse import datasets
from mixedsparse.compat import mixedlm

pytest.importorskip("statsmodels")


# statsmodels' line searches stop a little before the optimum: the criterion is that near, parameters near its root.
LLF, PARAMETERS = 1e-5, 3e-3


def close(ours: Any, theirs: Any, rel: float) -> None:
    """Check that numbers agree, relative to themselves or to the largest of them."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=rel, atol=rel * max(1e-3, np.abs(theirs).max(initial=0.0)))


def quietly(call: Any) -> Any:
    """Result of `call`; statsmodels' warnings about its own optimisers and deprecations are no concern of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call()


def nested() -> pd.DataFrame:
    """Two levels of nesting, as in statsmodels' notebook on variance components; labels start anew in each group."""
    rng = np.random.default_rng(3)
    outer, inner, copies = 20, 6, 4
    one, two = np.repeat(np.arange(outer), inner * copies), np.tile(np.repeat(np.arange(inner), copies), outer)
    effects = rng.normal(size=(outer, 1)) * 2 + rng.normal(size=(outer, inner)) * 3
    return pd.DataFrame({"y": effects[one, two] + rng.normal(size=len(one)) * 4, "group1": one, "group2": two})


def crossed() -> pd.DataFrame:
    """Two crossed factors, as in the same notebook, and a covariate."""
    rng = np.random.default_rng(5)
    a, b = (part.ravel() for part in np.indices((15, 12)))
    a, b = np.repeat(a, 2), np.repeat(b, 2)
    x = rng.normal(size=len(a))
    y = x + rng.normal(size=15)[a] * 2 + rng.normal(size=12)[b] * 3 + rng.normal(size=len(a)) * 2
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": [f"b{i}" for i in b]})


def slopes() -> pd.DataFrame:
    """Slopes of levels that are nested in groups."""
    rng = np.random.default_rng(8)
    g, c = (part.ravel() for part in np.indices((25, 4)))
    g, c = np.repeat(g, 5), np.repeat(c, 5)
    x = rng.normal(size=len(g))
    own = rng.normal(size=(25, 4))
    y = x * (1 + own[g, c]) + rng.normal(size=25)[g] + rng.normal(size=len(g))
    return pd.DataFrame({"y": y, "x": x, "g": g, "c": np.array(list("pqrs"))[c]})


DATA = {"dietox": lambda: datasets.load("dietox"), "nested": nested, "crossed": crossed, "slopes": slopes}


class Case(NamedTuple):
    """Data, formula, and the further arguments of `mixedlm`."""

    data: str
    formula: str
    arguments: dict[str, Any]


CASES = {
    "intercept": Case("dietox", "Weight ~ Time", {"groups": "Pig"}),
    "slope": Case("dietox", "Weight ~ Time", {"groups": "Pig", "re_formula": "~Time"}),
    "slope only": Case("dietox", "Weight ~ Time", {"groups": "Pig", "re_formula": "0 + Time"}),
    "factors": Case("dietox", "Weight ~ Time * Cu + np.log(Start)", {"groups": "Pig", "re_formula": "1"}),
    "two components": Case(
        "dietox",
        "Weight ~ Time",
        {"groups": "Pig", "vc_formula": {"slope": "0 + Time", "level": "1"}},
    ),
    "nested": Case(
        "nested", "y ~ 1", {"groups": "group1", "re_formula": "1", "vc_formula": {"group2": "0 + C(group2)"}}
    ),
    "crossed": Case("crossed", "y ~ x", {"groups": np.ones(360), "vc_formula": {"g2": "0 + C(b)", "g1": "0 + C(a)"}}),
    "crossed, re_formula 0": Case(
        "crossed",
        "y ~ x",
        {"groups": np.ones(360), "re_formula": "0", "vc_formula": {"g2": "0 + C(b)", "g1": "0 + C(a)"}},
    ),
    "nested slopes": Case(
        "slopes", "y ~ x", {"groups": "g", "re_formula": "1", "vc_formula": {"x": "0 + C(c):x", "c": "0 + c"}}
    ),
}


class Pair(NamedTuple):
    """Results of both packages."""

    ours: Any
    theirs: Any


@cache
def fit_both(name: str, reml: bool) -> Pair:
    """Fit one case with both."""
    import statsmodels.formula.api as smf

    case = CASES[name]
    data = DATA[case.data]()
    ours = mixedlm(case.formula, data, **case.arguments).fit(reml=reml)
    return Pair(ours, best_fit(smf.mixedlm(case.formula, data, **case.arguments), reml=reml))


def best_fit(model: Any, **options: Any) -> Any:
    """Likeliest end of statsmodels' optimisers: each stops early, or breaks down, on some of the cases.

    As soon as two of them end at one height, the others are not asked.
    """
    best = None
    for steps in ({"method": "lbfgs"}, {"method": "powell"}, {"method": "bfgs", "gtol": 1e-6}):
        with contextlib.suppress(np.linalg.LinAlgError):
            fit = quietly(lambda steps=steps: model.fit(**steps, **options))
            if not np.isfinite(fit.llf):  # it overshot
                continue
            agreed = best is not None and abs(fit.llf - best.llf) < LLF
            best = fit if best is None or fit.llf > best.llf else best
            if agreed:
                break
    return best
