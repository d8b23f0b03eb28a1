"""Results that need the rows say so, in one error that names what to do instead."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.problem.absent_rows import ELSEWHERE, are_here


@pytest.fixture(scope="module")
def fit(path, quiet_lmer):
    return quiet_lmer("y ~ x + f + (1 | g) + (1 | h)", path, weights="w")


@pytest.mark.parametrize(
    "ask",
    [
        lambda fit: fit.resid,
        lambda fit: fit.resid_scaled,
        lambda fit: fit.fittedvalues,
        lambda fit: fit.predict(),
        lambda fit: fit.augment(),
        lambda fit: fit.leverage(),
        lambda fit: fit.influence("g"),
        lambda fit: fit.simulate(seed=1),
        lambda fit: fit.bootstrap(2, seed=1),
        lambda fit: fit.refit([1.0, 2.0]),
        lambda fit: fit.marginal_cov([0, 1]),
        lambda fit: fit.get("Z"),
        lambda fit: fit.get("X").sum(),
        lambda fit: fit.residuals("marginal"),
        lambda fit: fit.caic(),
        lambda fit: fit.emmeans("f", weights="proportional"),
        lambda fit: fit.model.design.source.table,
        lambda fit: fit.plot.residuals(),
        lambda fit: fit.plot.shrinkage(),
    ],
)
def test_rows_are_refused(fit, ask):
    with pytest.raises(ms.RowsElsewhereError, match=r"stay where its source is.*fit\.stream_predictions\(path\)"):
        ask(fit)


@pytest.mark.parametrize(
    "use",
    [
        lambda rows: np.asarray(rows),
        lambda rows: len(rows),
        lambda rows: rows[0],
        lambda rows: rows.shape,
        lambda rows: rows + 1.0,
        lambda rows: np.ones(3) * rows,
        lambda rows: np.ones((2, 2)) @ rows,
        lambda rows: np.sqrt(rows),
        lambda rows: np.mean(rows),
        lambda rows: list(rows),
    ],
)
def test_the_stand_in_refuses_every_use(use):
    with pytest.raises(ms.RowsElsewhereError):
        use(ELSEWHERE)


def test_the_stand_in_is_one_object_wherever_it_goes():
    assert pickle.loads(pickle.dumps(ELSEWHERE)) is ELSEWHERE
    assert copy.deepcopy(ELSEWHERE) is ELSEWHERE
    assert not are_here(ELSEWHERE)
    assert are_here(np.empty(0))


def test_problems_say_whether_they_have_rows(fit, frame, quiet_lmer):
    assert not fit.model.problem.has_rows
    assert quiet_lmer("y ~ x + (1 | g)", frame).model.problem.has_rows
