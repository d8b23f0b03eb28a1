"""Predictions of a few rows: the same numbers as those of many, from what these rows need."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.data.formula.levels import index_of, match_levels

BACKENDS = ("split", "cholmod") if cholmod.available() else ("split",)


# A seed for which the variance of slopes that there are none of is estimated as 0.
SINGULAR = 4


def crossed(seed=1, slope=0.5):
    rng = np.random.default_rng(seed)
    n = 600
    s, i = rng.integers(0, 30, n), rng.integers(0, 20, n)
    x = rng.normal(size=n)
    y = 1 + 0.3 * x + rng.normal(size=30)[s] + slope * rng.normal(size=30)[s] * x + 0.6 * rng.normal(size=20)[i]
    data = pd.DataFrame({"y": y + rng.normal(size=n), "x": x, "s": pd.Categorical([f"s{k}" for k in s]), "i": i})
    return data.assign(h=pd.Categorical(np.where(s < 15, "low", "high")))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "formula", ["y ~ x + (1 + x | s) + (1 | i)", "y ~ x + (x | s)", "y ~ x + h + (1 | h:i) + (0 + x | s) + (1 | i)"]
)
def test_intervals_of_few_rows_are_those_of_many(backend, formula):
    data = crossed()
    fit = ms.lmer(formula, data, options=ms.FitOptions(backend=backend))
    for interval in ("confidence", "prediction"):
        many = fit.predict(data.head(40), interval=interval)
        few = pd.concat([fit.predict(data.iloc[[k]], interval=interval) for k in (0, 7, 39)])
        np.testing.assert_allclose(few, many.iloc[[0, 7, 39]], rtol=1e-9)
        some = fit.predict(data.head(40), random=["s"], interval=interval)
        np.testing.assert_allclose(
            fit.predict(data.iloc[[3]], random=["s"], interval=interval), some.iloc[[3]], rtol=1e-9
        )


def test_intervals_of_few_rows_of_a_singular_fit_with_unseen_levels():
    data = crossed(seed=SINGULAR, slope=0.0)
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("y ~ x + (1 + x || s) + (1 | i)", data)
    new = data.head(40).astype({"s": object})
    new.loc[3, "s"] = "nobody"
    many = fit.predict(new, new_levels="zero", interval="prediction")
    few = fit.predict(new.iloc[2:5], new_levels="zero", interval="prediction")
    np.testing.assert_allclose(few, many.iloc[2:5], rtol=1e-9)


def test_intervals_of_few_rows_of_related_levels():
    rng = np.random.default_rng(3)
    pedigree = ms.Pedigree(
        pd.DataFrame({"id": ["a", "b", *"cdefgh"], "sire": [None, None, *"aaccee"], "dam": [None, None, *"bbddbb"]})
    )
    animal = np.repeat(list("cdefgh"), 12)
    data = pd.DataFrame({"animal": animal, "y": rng.normal(size=72) + (animal < "f"), "i": np.tile(range(12), 6)})
    data["y"] += 0.3 * (data["i"] - 5)
    fit = ms.lmer("y ~ 1 + (1 | rel(animal)) + (1 | i)", data, relations={"animal": pedigree})
    many = fit.predict(data.head(40), interval="confidence")
    np.testing.assert_allclose(fit.predict(data.iloc[[5]], interval="confidence"), many.iloc[[5]], rtol=1e-8)


def test_intervals_of_few_rows_of_a_generalized_fit():
    data = crossed(seed=5)
    fit = ms.glmer("z ~ x + (1 | s) + (1 | i)", data.assign(z=(data["y"] > 1.0).astype(float)))
    many = fit.predict(data.head(40), interval="confidence")
    np.testing.assert_allclose(fit.predict(data.iloc[[3, 8]], interval="confidence"), many.iloc[[3, 8]], rtol=1e-8)


def test_few_labels_are_found_as_many_are():
    known = np.array([f"l{k}" for k in range(100)], dtype=object)
    index = index_of(known)
    assert index_of(known) is index
    for values in (
        pd.Categorical(["l3", "new", "l99"], categories=["new", "l99", "unused", "l3"]),
        np.array(["l3", "new", "l99"], dtype=object),
        pd.array(["l3", "new", "l99"], dtype="string"),
    ):
        codes, found, labels = match_levels(values, index, "f")
        assert codes.tolist() == [3, -1, 99]
        assert [str(labels[k]) for k in found] == ["l3", "new", "l99"]
    numbers = index_of(np.arange(5) * 10)
    assert match_levels(np.array(["20", "x"], dtype=object), numbers, "f")[0].tolist() == [2, -1]
    assert match_levels(np.array([40.0, 7.0]), numbers, "f")[0].tolist() == [4, -1]


def test_levels_that_are_equal_but_of_other_types_have_indexes_of_their_own():
    assert index_of((0, 1)).dtype != index_of((False, True)).dtype
