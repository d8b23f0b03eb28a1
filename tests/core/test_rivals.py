"""Intercepts and slopes without a correlation, of a covariate far from 0: the lowest of several optima is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.fitting.rivals import has_rivals

pytestmark = pytest.mark.filterwarnings(
    "ignore::mixedsparse.ground.errors.SingularFitWarning", "ignore::mixedsparse.ground.errors.ConvergenceWarning"
)


def lines(seed: int, n: int = 2000, mean: float = 50.0) -> pd.DataFrame:
    """Lines of subjects that cross where x has its mean, not at 0."""
    rng = np.random.default_rng(seed)
    subject = rng.integers(0, 12, n)
    x = rng.normal(mean, 1.0, n)
    own = rng.normal(size=12)[subject] + (x - mean) * rng.normal(size=12)[subject] * 0.3
    counts = rng.poisson(np.exp(0.3 + 0.2 * own))
    return pd.DataFrame(
        {"y": 0.5 * x + own + rng.normal(size=n), "x": x, "subj": subject.astype(str), "counts": counts}
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_lowest_of_the_optima_is_found(seed: int) -> None:
    data = lines(seed)
    model = ms.LinearMixedModel("y ~ x + (x || subj)", data)
    fit = model.fit()
    # Large deviations that cancel, and small ones.
    others = [model.fit(start=np.array(start)).criterion for start in ([12.0, 0.25], [6.0, 0.12], [0.5, 0.01])]
    assert fit.criterion <= min(others) + 1e-6
    assert fit.certificate.starts > 1
    structured = ms.lmer("y ~ x + diag(x | subj)", data)
    assert structured.criterion == pytest.approx(fit.criterion, abs=1e-5)


def test_some_of_them_are_far_below_the_first_end() -> None:
    gains = []
    for seed in range(8):
        model = ms.LinearMixedModel("y ~ x + (x || subj)", lines(seed))
        alone = model.fit(options=ms.FitOptions(restart_budget=0.0))
        gains.append(alone.criterion - model.fit().criterion)
    assert min(gains) > -1e-6
    assert max(gains) > 1.0


@pytest.mark.parametrize("seed", range(4))
def test_generalized_models_too(seed: int) -> None:
    model = ms.GeneralizedLinearMixedModel("counts ~ x + (x || subj)", lines(seed, 800), family="poisson")
    fit = model.fit()
    for start in ([12.0, 0.25], [4.0, 0.08], [0.3, 0.01]):
        other = model.fit(start=np.concatenate([start, fit.params]))
        assert not other.converged or fit.criterion <= other.criterion + 1e-6


def test_who_are_rivals() -> None:
    data = lines(1, 300).assign(centred=lambda d: d["x"] - d["x"].mean(), item=np.arange(300) % 9)
    rivals = {
        "y ~ x + (x || subj)": True,
        "y ~ x + diag(x | subj)": True,
        "y ~ x + (1 | item) + (0 + x | subj) + (1 | subj)": True,
        "y ~ x + (x | subj)": False,
        "y ~ x + (centred || subj)": False,
        "y ~ x + (1 | item) + (0 + x | subj)": False,
    }
    for formula, wanted in rivals.items():
        assert has_rivals(ms.LinearMixedModel(formula, data).problem) == wanted, formula
