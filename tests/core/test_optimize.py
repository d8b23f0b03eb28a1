"""The search: what happens when Newton cannot progress, and where it starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core import optimize
from mixedsparse.core.optimize import Stop, search
from mixedsparse.core.start import moment_start


@pytest.fixture(scope="module")
def model():
    return ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def test_derivative_free_search_takes_over_when_derivatives_mislead(model, monkeypatch):
    best = search(model.engine(), reml=True)
    right = optimize.differentiate

    def turned(*args, **kwargs):
        got = right(*args, **kwargs)
        return replace(got, gradient=-got.gradient)

    monkeypatch.setattr(optimize, "differentiate", turned)
    found = search(model.engine(), reml=True)
    assert found.stop is Stop.NO_PROGRESS
    # Nelder-Mead stops within its own tolerance of the optimum; the verdict stays honest.
    assert found.pls.criterion == pytest.approx(best.pls.criterion, abs=1e-3)
    assert found.nfev > best.nfev


def test_moment_start_is_close_for_a_balanced_one_way_layout():
    dyestuff = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    # (MSB - MSW) / (n MSW) = 1764.05 / 2451.25; the start counts the total variance with divisor n, not n - 1.
    assert moment_start(dyestuff.problem) == pytest.approx([np.sqrt(1764.05 / 2451.25)], rel=0.1)


def test_path_records_every_accepted_step(model):
    lines = []
    found = search(model.engine(), reml=True, progress=lines.append)
    assert tuple(lines) == found.path
    criteria = [line.criterion for line in found.path]
    assert criteria == sorted(criteria, reverse=True)
    assert found.nit == len(found.path) - 1
