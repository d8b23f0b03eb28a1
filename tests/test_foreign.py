"""Arguments and names of other packages: one clear error each, with what to use instead."""

from __future__ import annotations

import inspect

import pytest

import mixedsparse as ms

FORMULA = "Reaction ~ Days + (1 | Subject)"

ARGUMENTS = [
    ({"family": "binomial"}, r"has no argument 'family': responses are normal here.*mixedsparse.glmer"),
    ({"correlation": "AR1"}, r"has no argument 'correlation': residual covariances are text: residual='ar1"),
    ({"REML": False}, r"has no argument 'REML': write reml=True or reml=False"),
    ({"control": {}}, r"has no argument 'control': write options=mixedsparse.FitOptions"),
    ({"offest": 1.0}, r"has no argument 'offest'. Did you mean 'offset'\?"),
    ({"zz": 1}, r"has no argument 'zz': use one of contrasts, data,"),
]
NAMES = [
    ("glmm", "mixedsparse has no 'glmm': write mixedsparse.glmer"),
    ("glm", "mixedsparse has no 'glm': write mixedsparse.glmer"),
    ("nlmer", "mixedsparse has no 'nlmer': models are linear in their parameters here.*nlme"),
    ("lme", "mixedsparse has no 'lme': write mixedsparse.lmer"),
    ("anovas", r"mixedsparse has no 'anovas'. Did you mean 'anova'\?"),
    ("zz", "mixedsparse has no 'zz': see mixedsparse.__all__"),
]


@pytest.mark.parametrize("call", [ms.lmer, ms.LinearMixedModel], ids=["lmer", "LinearMixedModel"])
@pytest.mark.parametrize(("argument", "message"), ARGUMENTS, ids=[next(iter(a)) for a, _ in ARGUMENTS])
def test_unknown_argument_is_one_error_with_the_mend(call, argument, message):
    with pytest.raises(ms.ArgumentError, match=f"^{call.__name__} {message}") as caught:
        call(FORMULA, ms.datasets.load("sleepstudy"), **argument)
    assert isinstance(caught.value, ms.MixedSparseError)
    assert isinstance(caught.value, TypeError)


def test_unknown_argument_of_fit():
    model = ms.LinearMixedModel(FORMULA, ms.datasets.load("sleepstudy"))
    with pytest.raises(ms.ArgumentError, match=r"^LinearMixedModel.fit has no argument 'REML': write reml=True"):
        model.fit(REML=False)


@pytest.mark.parametrize(("name", "message"), NAMES, ids=[name for name, _ in NAMES])
def test_absent_name_is_one_error_with_the_mend(name, message):
    assert not hasattr(ms, name)
    with pytest.raises(ms.AbsentError, match=message) as caught:
        getattr(ms, name)
    assert isinstance(caught.value, ms.MixedSparseError)
    assert isinstance(caught.value, AttributeError)


def test_signatures_stay_explicit():
    for function in (ms.lmer, ms.LinearMixedModel, ms.LinearMixedModel.fit):
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}


def test_names_of_the_caller_are_found_past_the_check():
    def own(x):
        return x / 2

    data = ms.datasets.load("sleepstudy")
    fits = (
        ms.lmer("Reaction ~ own(Days) + (1 | Subject)", data),
        ms.LinearMixedModel("Reaction ~ own(Days) + (1 | Subject)", data).fit(),
    )
    assert fits[0].params["own(Days)"] == pytest.approx(20.93457, abs=1e-4)
    assert fits[0].params.equals(fits[1].params)
