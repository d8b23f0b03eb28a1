"""The bundled data sets: complete, described, and what their sources say they are."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from mixedsparse import datasets
from mixedsparse.ground.errors import DataError, MixedSparseError

every_data_set = pytest.mark.parametrize("name", datasets.names())


def test_the_promised_data_sets_are_there():
    linear = "sleepstudy Penicillin Pastes Dyestuff Dyestuff2 InstEval cake Machines Oats Orthodont dietox kb07 fhch"
    generalized = "VerbAgg cbpp grouseticks Contraception"
    assert {*linear.split(), *generalized.split()} <= set(datasets.names())


@every_data_set
def test_data_agree_with_their_description(name):
    frame, about = datasets.load(name), datasets.describe(name)
    assert list(frame.columns) == [c.name for c in about.columns]
    assert len(frame) == about.n_rows
    for column in about.columns:
        dtype = frame[column.name].dtype
        if column.kind in ("factor", "ordered"):
            assert isinstance(dtype, pd.CategoricalDtype)
            assert dtype.ordered == (column.kind == "ordered")
            assert set(frame[column.name]) == set(dtype.categories)  # no missing value, no unused level
        else:
            assert dtype == {"integer": np.int64, "float": np.float64}[column.kind]


@every_data_set
def test_descriptions_say_everything(name):
    about = datasets.describe(name)
    assert all([about.title, about.notes, about.source, about.reference])
    assert all(c.meaning for c in about.columns)
    words = set(re.findall(r"[A-Za-z_]\w*", about.example))
    assert words <= {c.name for c in about.columns}
    assert about.reference in repr(about)


def test_factors_keep_the_order_of_their_source():
    assert datasets.load("Machines")["Worker"].cat.categories.tolist() == ["6", "2", "4", "1", "3", "5"]
    assert datasets.load("InstEval")["d"].cat.categories[:5].tolist() == ["1", "6", "7", "8", "12"]
    assert datasets.load("cake")["temperature"].max() == "225"


@pytest.mark.parametrize(
    ("name", "column", "mean"),
    [  # means that R gives for its own copies
        ("sleepstudy", "Reaction", 298.5078917),
        ("Pastes", "strength", 60.0533333),
        ("Dyestuff", "Yield", 1527.5),
        ("InstEval", "y", 3.205744950),
        ("Orthodont", "distance", 24.02314815),
        ("cake", "angle", 32.12222222),
        ("VerbAgg", "Anger", 151704 / 7584),
        ("cbpp", "incidence", 99 / 56),
    ],
)
def test_means_are_those_of_the_source(name, column, mean):
    assert datasets.load(name)[column].mean() == pytest.approx(mean, rel=1e-8)


def test_casks_are_nested_in_batches():
    pastes = datasets.load("Pastes")
    joined = pastes["batch"].astype(str) + ":" + pastes["cask"].astype(str)
    assert joined.tolist() == pastes["sample"].astype(str).tolist()


def test_products_of_kb07_are_products():
    kb07 = datasets.load("kb07")
    for column in ("SP", "SC", "PC", "SPC"):
        assert kb07[column].equals(kb07[list(column)].prod(axis=1))


def test_missing_feed_is_missing():
    dietox = datasets.load("dietox")
    assert dietox["Feed"].isna().sum() == 72
    assert dietox.loc[dietox["Feed"].isna(), "Time"].eq(1).all()


def test_case_of_the_name_does_not_matter():
    pd.testing.assert_frame_equal(datasets.load("SLEEPSTUDY"), datasets.load("sleepstudy"))
    assert datasets.describe("insteval").name == "InstEval"


def test_every_load_is_a_new_frame():
    changed = datasets.load("Dyestuff")
    changed["Yield"] = 0
    assert datasets.load("Dyestuff")["Yield"].min() > 0


@pytest.mark.parametrize("function", [datasets.load, datasets.describe])
def test_unknown_name_lists_what_there_is(function):
    with pytest.raises(DataError, match=r"no bundled data set 'iris'.*cake, cbpp, Chem97.*sleepstudy") as caught:
        function("iris")
    assert isinstance(caught.value, MixedSparseError)
