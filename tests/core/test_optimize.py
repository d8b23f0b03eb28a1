"""The search: what happens when Newton cannot progress, and where it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.dense.cholesky import DenseCriterion
from mixedsparse.core.fitting import objective
from mixedsparse.core.fitting.optimize import search
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.core.fitting.start import moment_start


@pytest.fixture(scope="module")
def model():
    return ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def test_derivative_free_search_takes_over_when_derivatives_mislead(model, monkeypatch):
    start = np.array([2.0, 0.0, 0.3])
    best = search(model.engine(), reml=True, start=start)
    right = DenseCriterion.differentiate

    def turned(*args, **kwargs):
        got = right(*args, **kwargs)
        return replace(got, gradient=-got.gradient, in_entries=None)

    monkeypatch.setattr(DenseCriterion, "differentiate", turned)
    monkeypatch.setattr(objective, "make_orthogonal", lambda *args: None)
    found = search(model.engine(), reml=True, start=start)
    assert found.stop is Stop.NO_PROGRESS
    # Nelder-Mead stops within its own tolerance of the optimum; the verdict stays honest.
    assert found.pls.criterion == pytest.approx(best.pls.criterion, abs=1e-3)
    assert found.nfev > best.nfev


def test_moment_start_is_the_optimum_of_a_balanced_one_way_layout():
    dyestuff = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    # (MSB - MSW) / (n MSW) = 1764.05 / 2451.25
    assert moment_start(dyestuff.problem) == pytest.approx([np.sqrt(1764.05 / 2451.25)], rel=1e-10)


def test_path_records_every_accepted_step(model):
    lines = []
    found = search(model.engine(), reml=True, progress=lines.append)
    assert tuple(lines) == found.path
    criteria = [line.criterion for line in found.path]
    assert criteria == sorted(criteria, reverse=True)
    assert found.nit == len(found.path) - 1
