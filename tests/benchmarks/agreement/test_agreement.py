"""The comparison with lme4, with figures that R wrote replaced by our own: equal ones agree, changed ones do not."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.agreement import __main__ as command
from benchmarks.agreement.comparison import compare_model
from benchmarks.agreement.differences import nearest
from benchmarks.agreement.lme4_fits import CONTRASTS, Lme4Fit, read_figures, write_jobs
from benchmarks.agreement.report import summary
from benchmarks.problems.bundled import BundledModel, bundled_models

NAME = "example_Pastes"  # cask in batch: lme4 calls it cask:batch


@pytest.fixture(scope="module")
def model() -> BundledModel:
    return next(model for model in bundled_models() if model.name == NAME)


@pytest.fixture(scope="module")
def theirs(model) -> Lme4Fit:
    """Our own figures in lme4's shapes, grouping factor and levels of the interaction turned round."""
    fit = model.make().fit(model.reml)
    inner, outer = "batch:cask", "batch"
    modes, sds = [], []
    for group in (inner, outer):
        labels = [":".join(reversed(str(label).split(":"))) for label in fit.random_effects[group].index]
        turned = ":".join(reversed(group.split(":")))
        modes.append((turned, labels, fit.random_effects[group].to_numpy()[:, 0]))
        sds.append((turned, labels, np.sqrt(fit.random_effects_cov[group][:, 0, 0])))
    variances = dict(zip(fit.varcorr()["grp"], fit.varcorr()["vcov"], strict=True))
    return Lme4Fit(
        numbers={
            "criterion": np.array([fit.criterion]),
            "AIC": np.array([fit.aic]),
            "BIC": np.array([fit.bic]),
            "sigma": np.array([fit.sigma]),
            "beta": fit.params.to_numpy(),
            "SE": fit.bse.to_numpy(),
            "theta": fit.theta,
            "width": np.array([1.0, 1.0]),
            "levels": np.array([30.0, 10.0]),
            "fitted": fit.fittedvalues.to_numpy(),
        },
        by_group={
            "varcorr": {
                "cask:batch": np.array([variances[inner]]),
                "batch": np.array([variances[outer]]),
                "Residual": np.array([fit.scale]),
            }
        },
        effects={"modes": modes, "conditional SD": sds},
    )


def changed(theirs: Lme4Fit, figure: str, factor: float) -> Lme4Fit:
    if figure in theirs.numbers:
        return replace(theirs, numbers={**theirs.numbers, figure: factor * theirs.numbers[figure]})
    if figure in theirs.by_group:
        groups = {group: factor * values for group, values in theirs.by_group[figure].items()}
        return replace(theirs, by_group={**theirs.by_group, figure: groups})
    effects = [(group, labels, factor * values) for group, labels, values in theirs.effects[figure]]
    return replace(theirs, effects={**theirs.effects, figure: effects})


def test_equal_figures_agree(model, theirs):
    found = compare_model(model, theirs)
    assert found.agrees
    assert found.excess == 0
    assert len(found.optimum) == 11
    assert max(found.optimum.values()) < 1e-8
    assert max(found.same_theta.values()) < 1e-8


@pytest.mark.parametrize("figure", ["AIC", "BIC", "sigma", "beta", "SE", "varcorr", "theta", "modes", "conditional SD"])
def test_a_changed_figure_is_noticed(model, theirs, figure):
    found = compare_model(model, changed(theirs, figure, 1.01))
    assert found.optimum[figure] == pytest.approx(0.01, rel=0.05)
    if figure != "theta":
        assert max(value for name, value in found.optimum.items() if name != figure) < 1e-3


def test_who_stops_above_is_said(model, theirs):
    higher, lower = changed(theirs, "criterion", 1.001), changed(theirs, "criterion", 0.999)
    found = [compare_model(model, higher), compare_model(model, lower), compare_model(model, theirs)]
    assert found[0].excess > 0 > found[1].excess
    assert not found[1].agrees
    text = summary(found, "lme4 0 R 0")
    assert f"lme4 stops above the optimum: {NAME} (" in text
    assert f"MIXEDSPARSE STOPS ABOVE lme4: {NAME} (" in text
    assert "where both reach it (1 models)" in text


def test_errors_of_r_are_kept(model):
    found = compare_model(model, Lme4Fit({}, {}, {}, error="number of levels"))
    assert not found.agrees
    assert f"Not compared: {NAME}: lme4: number of levels." in summary([found], "lme4 0 R 0")


def test_missing_r_and_unknown_models_are_named(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(command, "bundled_models", lambda: iter([_model("only")]))
    assert command.main([]) == 2
    assert "Rscript is not on the path" in capsys.readouterr().err
    assert command.main(["--models", "nothing of the kind"]) == 2
    assert "no bundled model's name" in capsys.readouterr().err


def _model(name: str) -> BundledModel:
    return BundledModel(
        name=name,
        formula="Yield ~ 1 + (1 | Batch)",
        r_formula="Yield ~ 1 + (1 | Batch)",
        reml=True,
        loader=lambda: ms.datasets.load("Dyestuff"),
    )


def test_jobs_name_levels_and_coding(tmp_path):
    model = replace(_model("d"), arguments={"contrasts": {"Batch": "sum"}, "weights": "Yield"})
    write_jobs([model], tmp_path)
    with (tmp_path / "jobs.csv").open(newline="") as file:
        (job,) = csv.DictReader(file)
    assert job == {"name": "d", "formula": model.r_formula, "reml": "True", "weights": "Yield", "offset": ""}
    with (tmp_path / "d.levels.csv").open(newline="") as file:
        levels = list(csv.DictReader(file))
    assert [row["level"] for row in levels] == list("ABCDEF")
    assert {row["contrast"] for row in levels} == {CONTRASTS["sum"]}


def test_figures_are_read(tmp_path):
    path = tmp_path / "x.out.csv"
    path.write_text(
        '"figure","group","key","value"\n"theta","","1","0.5"\n"theta","","2","0.25"\n"varcorr","","g","4"\n'
        '"modes","g|(Intercept)","a","1.5"\n"modes","g|(Intercept)","b","-1.5"\n'
    )
    found = read_figures(path)
    assert found.numbers["theta"].tolist() == [0.5, 0.25]
    assert found.by_group["varcorr"]["g"].tolist() == [4.0]
    ((group, labels, values),) = found.effects["modes"]
    assert (group, labels, values.tolist()) == ("g", ["a", "b"], [1.5, -1.5])
    path.write_text('"figure","group","key","value"\n"error","","no model","NaN"\n')
    assert read_figures(path).error == "no model"


def test_nearest_takes_each_column_once():
    assert nearest(np.array([[0.2, 0.3], [0.1, 5.0]])) == [1, 0]
