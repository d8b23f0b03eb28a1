"""Linear fits of binary responses say where generalized models are."""

from __future__ import annotations

import pytest

import mixedsparse as ms

VERBAGG = ms.datasets.load("VerbAgg")


def test_mixedlm_on_zeros_and_ones_points_to_glmer():
    data = VERBAGG.assign(y=(VERBAGG["r2"] == "Y").astype(int))
    model = ms.mixedlm("y ~ Anger", data, groups=data["id"])
    with pytest.warns(ms.BinaryResponseWarning, match=r"mixedsparse\.glmer\(formula, data\)"):
        model.fit()
    with pytest.raises(ms.ArgumentError, match=r"mixedsparse\.glmer"):
        ms.mixedlm("y ~ Anger", data, groups=data["id"], family="binomial")


def test_bound_columns_in_a_linear_model_point_to_glmer():
    data = ms.datasets.load("cbpp")
    for call in (ms.lmer, lambda formula, data: ms.mixedlm(formula, data, groups=data["herd"])):
        with pytest.raises(ms.FormulaError, match="glmer"):
            call("cbind(incidence, size - incidence) ~ period" + " + (1 | herd)" * (call is ms.lmer), data)
