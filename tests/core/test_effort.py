"""What an evaluation is foreseen to take, by which further starts are rationed, is no many times what it takes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms


def test_many_fixed_effects_leave_time_for_further_starts() -> None:
    """A slope far from 0 without its correlation: the first end is 40 above, and so are lme4's three optimisers'."""
    rng = np.random.default_rng(3)
    n, items, subjects = 2000, 40, 12
    item, subject = rng.integers(0, items, n), rng.integers(0, subjects, n)
    x, _, _ = rng.normal(50.0, 1.0, n), rng.uniform(0.5, 2.0, n), rng.normal(size=n)
    rng.integers(0, 5, n)  # what the model that was found had besides
    y = rng.normal(size=items)[item] + rng.normal(size=subjects)[subject] + 0.5 * x
    y += (x - 50.0) * rng.normal(size=subjects)[subject] * 0.3 + rng.normal(size=n)
    data = pd.DataFrame({"y": y, "x": x, "s": item.astype(str), "subj": subject.astype(str)})
    model = ms.LinearMixedModel("y ~ s + x:s + (x || subj)", data)
    first = model.fit(options=ms.FitOptions(restart_budget=0.0))
    fit = model.fit()
    assert fit.certificate.starts > 1
    assert fit.criterion < first.criterion - 30.0
    assert fit.criterion == pytest.approx(model.fit(options=ms.FitOptions(restart_budget=1e4)).criterion, abs=1e-6)
