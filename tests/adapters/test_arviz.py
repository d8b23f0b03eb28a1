"""Bootstrap replicates as InferenceData."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.adapters.arviz import inference_data


@pytest.fixture(scope="module")
def boot():
    return ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff")).bootstrap(5, seed=1)


def test_replicates_are_draws_of_one_chain(boot):
    pytest.importorskip("arviz")
    found = inference_data(boot)
    assert found["posterior"].sizes["chain"] == 1
    np.testing.assert_array_equal(found["posterior"]["sigma"].to_numpy()[0], boot.table["sigma"])


def test_arviz_is_optional(boot, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "arviz", None)
    with pytest.raises(ms.BackendError, match=r"install mixedsparse\[arviz\]"):
        inference_data(boot)
