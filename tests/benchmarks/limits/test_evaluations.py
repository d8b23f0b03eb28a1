"""What is allowed to a search, and whether it is met."""

from __future__ import annotations

import pytest
from pandas.api.types import is_numeric_dtype

from benchmarks.limits.evaluations import allowed
from benchmarks.problems.bundled import bundled_models
from tests.benchmarks.limits.sample_rows import evaluation


@pytest.mark.parametrize(
    ("n_theta", "correlated", "singular", "limit"),
    [(3, False, False, 7), (3, False, True, 10), (3, True, False, 10), (20, True, True, 15), (21, True, False, 20),
     (72, True, True, 30), (73, True, False, None)],
)  # fmt: skip
def test_evaluations_allowed(n_theta, correlated, singular, limit):
    assert allowed(n_theta, correlated=correlated, singular=singular) == limit


def test_bundled_models_are_linear():
    examples = [model for model in bundled_models() if model.name.startswith("example_")]
    assert {"example_sleepstudy", "example_InstEval"} <= {model.name for model in examples}
    for model in examples:
        response = model.formula.partition("~")[0].strip()
        assert is_numeric_dtype(model.loader()[response]), model.name
    assert not {"example_cbpp", "example_VerbAgg"} & {model.name for model in examples}


def test_an_unconverged_search_has_not_met_its_limit():
    assert evaluation().met
    assert not evaluation(converged=False).met
    assert not evaluation(evaluations=8).met
