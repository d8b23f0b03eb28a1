"""Fits to draw, each fitted once; figures are closed after every test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")


@pytest.fixture(scope="session")
def sleep():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


@pytest.fixture(scope="session")
def machines():
    return ms.lmer("score ~ Machine + (0 + Machine | Worker)", ms.datasets.load("Machines"))


@pytest.fixture(scope="session")
def oats():
    return ms.lmer("yield ~ nitro * Variety + (1 | Block/Variety)", ms.datasets.load("Oats"))


@pytest.fixture(scope="session")
def flat():
    """No variance between batches: every mode is zero."""
    with pytest.warns(ms.SingularFitWarning):
        return ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff2"))


@pytest.fixture(scope="session")
def many():
    """More rows than a scatter shows, more levels than an axis can name; levels with a single row among them."""
    rng = np.random.default_rng(4)
    n, levels = 30_000, 2500
    group = np.concatenate([np.arange(levels), rng.integers(levels - 100, size=n - levels)])
    x = rng.normal(size=n)
    y = x + rng.normal(size=levels)[group] + 0.3 * rng.normal(size=levels)[group] * x + rng.normal(size=n)
    return ms.lmer("y ~ x + (x | g)", pd.DataFrame({"y": y, "x": x, "g": group}))
