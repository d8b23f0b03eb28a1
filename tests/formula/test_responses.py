"""Responses of generalized models: read as what they are, or refused with the mend."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.data.formula.design import make_design
from mixedsparse.ground.errors import DataError, FormulaError

CBPP = ms.datasets.load("cbpp").assign(prop=lambda d: d["incidence"] / d["size"], one=1)
TICKS = ms.datasets.load("grouseticks")


def binary(values, **more):
    n = len(values)
    return pd.DataFrame({"y": values, "g": np.arange(n) % 2, **more})


def read(response, data=CBPP, domain="events", **arguments):
    group = next(name for name in ("herd", "BROOD", "g") if name in data)
    design = make_design(f"{response} ~ 1 + (1 | {group})", data, domain=domain, **arguments)
    return design.y, design.trials, design.response


@pytest.mark.parametrize(
    ("response", "arguments"),
    [
        ("cbind(incidence, size - incidence)", {}),
        ("incidence / size", {"trials": "size"}),
        ("prop", {"trials": CBPP["size"]}),
        ("incidence", {"trials": "size"}),
        ("incidence", {"trials": CBPP["size"].sample(frac=1, random_state=1)}),  # goes by its labels
    ],
)
def test_every_way_to_write_counts_gives_the_same(response, arguments):
    y, trials, label = read(response, **arguments)
    assert y.tolist() == CBPP["incidence"].tolist()
    assert trials.tolist() == CBPP["size"].tolist()
    assert label == f"P({response})"


@pytest.mark.parametrize(
    ("values", "label"),
    [
        ([0, 1, 1, 0], "P(y = 1)"),
        ([0.0, 1.0, 1.0, 0.0], "P(y = 1)"),
        ([False, True, True, False], "P(y)"),
        (pd.array([False, True, True, False], dtype="boolean"), "P(y)"),
        (["no", "yes", "yes", "no"], "P(y = yes)"),
        (pd.Categorical(["b", "a", "a", "b"], categories=["b", "a"]), "P(y = a)"),
        (pd.Categorical(["b", "a", "a", "b"], categories=["unused", "b", "a"]), "P(y = a)"),
    ],
)
def test_the_event_is_the_second_level_and_is_named(values, label):
    y, trials, found = read("y", binary(values))
    assert y.tolist() == [0, 1, 1, 0]
    assert trials.tolist() == [1, 1, 1, 1]
    assert found == label


def test_an_expression_can_say_what_the_event_is():
    y, _, label = read("I(y == 'b')", binary(["a", "b", "c", "b"]))
    assert y.tolist() == [0, 1, 0, 1]
    assert label == "P(I(y == 'b'))"


def test_a_function_of_the_caller_replaces_cbind():
    def cbind(a, b):
        return (a > b).astype(float)

    y, _, _ = read("cbind(incidence, 2)", env={"cbind": cbind})
    assert y.tolist() == (CBPP["incidence"] > 2).astype(float).tolist()


@pytest.mark.parametrize("kind", [int, float])
def test_zeros_and_ones_with_several_trials_are_proportions_as_in_r(kind):
    with pytest.warns(ms.AmbiguousResponseWarning, match=r"'y' is 0 or 1 in all rows.*Write cbind\(y, trials - y\)"):
        y, trials, label = read("y", binary(np.array([0, 1, 1, 0], dtype=kind), m=[2, 3, 1, 2]), "events", trials="m")
    assert (y.tolist(), trials.tolist(), label) == ([0, 3, 1, 0], [2, 3, 1, 2], "P(y)")


def test_counts_are_whole_numbers_and_positive_numbers_are_positive():
    y, trials, label = read("TICKS", TICKS, "counts")
    assert y.tolist() == TICKS["TICKS"].tolist()
    assert trials is None
    assert label == "TICKS"
    assert (read("TICKS + 0.5", TICKS, "positive")[0] == TICKS["TICKS"] + 0.5).all()


@pytest.mark.parametrize(
    ("response", "data", "domain", "arguments", "message"),
    [
        ("prop", CBPP, "events", {}, "holds proportions .* trials="),
        ("incidence", CBPP, "events", {}, "not 0 and 1 only: write cbind"),
        ("y", binary([1, 2, 2, 1]), "events", {}, r"write I\(y == 2\)"),
        ("y", binary(list("abca")), "events", {}, r"3 levels .* write the event, e.g. I\(y == 'c'\)"),
        ("y", binary(list("aaaa")), "events", {}, "1 levels"),
        ("y", binary([0, 0, 0, 0]), "events", {}, "failures only"),
        ("y", binary([1, 1, 1, 1]), "events", {}, "successes only"),
        ("y", binary([False, True, True, False], m=[2, 2, 2, 2]), "events", {"trials": "m"}, "one answer a row"),
        ("y", binary(list("abba"), m=[2, 2, 2, 2]), "events", {"trials": "m"}, "one answer a row"),
        ("y", binary([0.5, 0.3, 1, 0], m=[2, 2, 2, 2]), "events", {"trials": "m"}, "in row 1 .* 0.6 successes"),
        ("y", binary([3, 1, 2, 0], m=[2, 2, 2, 2]), "events", {"trials": "m"}, "between 0 and the trials"),
        ("y", binary([1, 1, 2, 0], m=[2, 2, 2, 0]), "events", {"trials": "m"}, "trials 'm' must be whole"),
        ("y", binary([1, 1, 2, 0], m=[2, 2, 2.5, 1]), "events", {"trials": "m"}, "trials 'm' must be whole"),
        ("cbind(incidence, size)", CBPP, "events", {"trials": "size"}, "successes and failures already"),
        ("cbind(incidence, 2 - incidence)", CBPP, "events", {}, "failures of .* whole numbers from 0 on"),
        ("cbind(incidence - incidence, size)", CBPP, "events", {}, "failures only"),
        ("TICKS / 2", TICKS, "counts", {}, "whole numbers from 0 on, but"),
        ("TICKS - 1", TICKS, "counts", {}, "whole numbers from 0 on"),
        ("TICKS", TICKS, "positive", {}, "must be positive"),
        ("TICKS", TICKS, "counts", {"trials": "YEAR"}, "offset=log"),
        ("TICKS - TICKS", TICKS, "counts", {}, "constant"),
    ],
)
def test_other_responses_are_refused_with_the_mend(response, data, domain, arguments, message):
    with pytest.raises(DataError, match=message):
        read(response, data, domain, **arguments)


def test_a_linear_model_has_one_column():
    with pytest.raises(FormulaError, match="glmer"):
        read("cbind(incidence, size)", domain=None)


def test_trials_that_are_missing_leave_their_rows_out():
    y, trials, _ = read("cbind(incidence, size - incidence)", CBPP.assign(size=CBPP["size"].where(CBPP.index > 2)))
    assert len(y) == len(trials) == len(CBPP) - 3
    y, trials, _ = read("incidence", CBPP.assign(m=CBPP["size"].where(CBPP.index > 2)), trials="m")
    assert len(y) == len(trials) == len(CBPP) - 3


def test_levels_of_one_row_each_are_no_fault_without_a_residual():
    assert len(make_design("TICKS ~ 1 + (1 | INDEX)", TICKS, domain="counts").y) == 403
    with pytest.raises(DataError, match="residual"):
        make_design("TICKS ~ 1 + (1 | INDEX)", TICKS)
