"""What is sent to another process gives the same numbers there, to the last bit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.inference.replicates import NewResponses, Statistic

MODELS = {
    "one factor": ("Reaction ~ Days + (Days | Subject)", "sleepstudy"),
    "one factor, effects apart": ("Reaction ~ Days + (Days || Subject)", "sleepstudy"),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin"),
    "nested": ("strength ~ 1 + (1 | batch / cask)", "Pastes"),
}


def ratio(results):
    return results.fit.beta[0] / results.sigma


@pytest.mark.parametrize("statistic", [None, ratio])
@pytest.mark.parametrize("model", MODELS)
def test_replicates_of_a_copy_from_another_process_are_equal(model, statistic):
    """A product of matrices rounds by how they lie in memory, which pickling changes for parts of others."""
    formula, data = MODELS[model]
    fitted = ms.lmer(formula, ms.datasets.load(data))._fitted
    wanted = None if statistic is None else Statistic(statistic, lambda own: own, fitted)
    here = NewResponses(fitted, "parametric", wanted)
    there = pickle.loads(pickle.dumps(NewResponses(fitted, "parametric", None)))
    there.statistic, there.size = wanted, here.size
    seeds = np.random.SeedSequence(1).spawn(5)
    np.testing.assert_array_equal(there(seeds).values, here(seeds).values)
