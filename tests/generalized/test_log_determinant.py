"""The criterion with expected information in its log-determinant, which is the number of lme4's glmer."""

from __future__ import annotations

import pytest

import mixedsparse as ms

FORMULA = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
# -2 log-likelihood, theta and coefficients of lme4 1.1-31, glmer(..., control = glmerControl(tolPwrss = 1e-13)).
LME4 = {
    "logit": (184.0525637490, [0.6422698886], [-1.3985320437, -0.9923158803, -1.1286641470, -1.5803155979]),
    "probit": (185.2424466713, [0.3379901534], [-0.8354740232, -0.5280457368, -0.6168911435, -0.7995658393]),
    "cloglog": (183.6040758366, [0.5866877598], [-1.5259826411, -0.9163258976, -1.0351725382, -1.4836384548]),
}


@pytest.mark.parametrize("link", LME4)
def test_expected_information_gives_the_number_of_glmer(link: str) -> None:
    criterion, theta, beta = LME4[link]
    model = ms.GeneralizedLinearMixedModel(FORMULA, ms.datasets.load("cbpp"), link=link)
    fisher = model.objective(theta, beta, logdet="fisher")
    assert fisher == pytest.approx(criterion, abs=2e-6)
    observed = model.objective(theta, beta)
    if link == "logit":
        assert fisher == pytest.approx(observed, abs=1e-10)
    else:
        assert fisher > observed + 0.07


def test_it_is_for_families_without_a_dispersion() -> None:
    data = {"y": [1.0, 2.0, 3.0, 1.5, 2.5, 1.0, 2.0, 2.2], "g": list("aabbccdd")}
    model = ms.GeneralizedLinearMixedModel("y ~ 1 + (1 | g)", data, "gamma")
    with pytest.raises(ms.OptionError, match="families without a dispersion, and gamma has one"):
        model.objective([0.1], [0.5], 2.0, logdet="fisher")
    with pytest.raises(ms.OptionError, match="logdet='expected' is not known; use one of 'observed', 'fisher'"):
        model.objective([0.1], [0.5], 2.0, logdet="expected")
