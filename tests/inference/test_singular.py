"""What rests on refits, after a singular fit: right values or a word, and an end."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.batch import profile_paths as march
from tests.golden_cases import cases

pytestmark = pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.SingularFitWarning")


@pytest.fixture(scope="module")
def carrots() -> ms.MixedResults:
    data = next(case for case in cases() if "carrots" in case.name).data()
    data = data.dropna(subset=["Preference", "sens2"])
    columns = {name: data[name].astype(str) for name in ("Consumer", "Homesize", "Gender")}
    formula = "Preference ~ sens2 + Homesize + Gender + (Gender + Homesize | Consumer)"
    with pytest.warns(ms.SingularFitWarning):
        return ms.lmer(formula, data.assign(**columns))


def test_ranova_of_a_singular_fit(carrots):
    # lmerTest 3.1-3: Gender LRT 5.7408, Df 3, p .12493; Homesize LRT 8.3485, Df 3, p .03933.
    table = carrots.ranova().iloc[1:]
    assert table.index.tolist() == [f"{name} in (Gender + Homesize | Consumer)" for name in ("Gender", "Homesize")]
    np.testing.assert_allclose(table["LRT"], [5.7408, 8.3485], atol=2e-4)
    np.testing.assert_allclose(table["p"], [0.12493, 0.03933], atol=2e-5)
    assert table["Df"].tolist() == [3, 3]


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_ranova_knows_no_units(unit):
    data = ms.datasets.load("sleepstudy")
    table = ms.lmer("Reaction ~ z + (z | Subject)", data.assign(z=data["Days"] * unit)).ranova()
    assert table["LRT"].iloc[1] == pytest.approx(42.837, abs=1e-3)


@pytest.fixture(scope="module")
def crawling() -> ms.MixedResults:
    """More random effects than rows, two of which have no variance: profiles that crawl."""
    rng = np.random.default_rng(7)
    n = 12
    g, h, k = np.arange(n) % 4, rng.integers(0, 3, n), rng.integers(0, 3, n)
    x = rng.normal(size=n)
    y = x * rng.normal(size=4)[g] * 30 + rng.normal(size=n) * 0.01
    data = pd.DataFrame({"y": y, "x": x, "g": g, "h": h, "k": k}).astype({"g": str, "h": str, "k": str})
    return ms.lmer("y ~ x + (1 | g) + (0 + x | h) + (x | k)", data, reml=False)


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.ConvergenceWarning")
def test_profile_tries_so_many_points_and_no_more(crawling, monkeypatch):
    tried = []
    advance = march._advance

    def counted(*args):
        tried.append(1)
        return advance(*args)

    monkeypatch.setattr(march, "_advance", counted)
    limits = crawling.profile().conf_int()
    assert 0 < len(tried) <= march._MOST_TRIES
    assert limits.index.is_unique


@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.RefitWarning")
@pytest.mark.filterwarnings("ignore::mixedsparse.ground.errors.UndefinedTestWarning")
def test_everything_ends_without_a_foreign_exception(crawling):
    began = time.perf_counter()
    for call in (crawling.ranova, crawling.drop1, lambda: crawling.anova(ddf="kenward-roger"), crawling.summary):
        assert str(call())
    assert crawling.influence("g").table["rows"].tolist() == [3, 3, 3, 3]
    assert time.perf_counter() - began < 60
