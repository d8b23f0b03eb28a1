"""What a fit shows when it is printed, and where its arguments are documented."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import mixedsparse as ms


def test_print_shows_a_short_table():
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    assert str(fit).splitlines() == [
        "Reaction ~ Days + (Days | Subject)",
        "REML criterion 1743.63; Observations: 180; Groups: Subject 18",
        "",
        "           Estimate  Std. Error      t  SD Subject  SD Residual",
        "Intercept   251.405       6.825  36.84      24.74         25.59",
        "Days         10.467       1.546   6.77       5.922",
    ]
    assert repr(fit).startswith("<MixedResults: ")


def test_print_shows_generalized_fits_too():
    fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
    lines = str(fit).splitlines()
    assert lines[1] == "-2 log L 184.05; Observations: 56; Groups: herd 15"
    assert lines[3].split() == ["Estimate", "Std.", "Error", "z", "SD", "herd"]
    assert repr(fit).startswith("<GeneralizedResults: ")


def test_print_shows_several_residual_deviations():
    fit = ms.lmer("distance ~ age * Sex", ms.datasets.load("Orthodont"), residual="us(age | Subject)")
    assert str(fit).endswith("Residual SD: 8 2.329, 10 2.047, 12 2.503, 14 2.233.")


def test_the_other_criterion():
    data = ms.datasets.load("sleepstudy").assign(half=lambda d: np.where(d["Days"] > 4, "late", "early"))
    fit = ms.lmer("Reaction ~ half + (1 | Subject)", data, reml=False, contrasts={"half": "sum"})
    want = ms.lmer("Reaction ~ half + (1 | Subject)", data, contrasts={"half": "sum"})
    again = fit.refit(reml=True)
    assert again.method == "REML"
    assert again.criterion == pytest.approx(want.criterion, rel=1e-12)
    assert again.params.index.tolist() == want.params.index.tolist()
    assert fit.refit(reml=False).criterion == fit.criterion
    y = data["Reaction"] * 2.0
    both = fit.refit(y, reml=True)
    assert both.sigma == pytest.approx(2.0 * want.sigma, rel=1e-6)
    assert both.method == "REML"


def test_the_other_criterion_of_residual_covariances():
    data = ms.datasets.load("Orthodont")
    fit = ms.lmer("distance ~ age * Sex", data, residual="ar1(age | Subject)")
    want = ms.lmer("distance ~ age * Sex", data, residual="ar1(age | Subject)", reml=False)
    assert fit.refit(reml=False).criterion == pytest.approx(want.criterion, rel=1e-10)


def test_many_directions_without_variance_take_a_line():
    data = ms.datasets.load("kb07")
    with pytest.warns(ms.SingularFitWarning) as caught:
        fit = ms.lmer("RTtrunc ~ S*P*C + (S*P*C | subj) + (1 | item)", data)
    lost = len(fit.certificate.boundary)
    assert lost > 2
    assert f"subj supports {8 - lost} of 8 dimensions; see rePCA() and ms.parsimony(fit)." in str(caught[0].message)
    assert len(str(caught[0].message)) < 120
    assert " ".join(str(fit).split()).endswith("see rePCA() and ms.parsimony(fit).")


@pytest.mark.parametrize("function", [ms.lmer, ms.MixedResults.update], ids=lambda f: f.__name__)
def test_every_argument_is_documented_in_place(function):
    text = inspect.getdoc(function)
    section = text.split("Parameters\n----------\n")[1].split("\n\n")[0]
    heads = ", ".join(re.findall(r"^(\S.*?)(?: :.*)?$", section, flags=re.MULTILINE))
    assert [name for name in inspect.signature(function).parameters if name != "self"] == heads.split(", ")
