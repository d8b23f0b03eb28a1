"""From a maximal to a parsimonious random part of generalized models."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

# glmmTMB 1.1.5: -2 logLik with (1 + urban | district), without the correlation, and with (1 | district).
DEVIANCES = [2360.610285, 2370.684079, 2372.728582]


def test_models_on_the_way_are_those_of_glmmtmb():
    fit = ms.glmer("use ~ age + I(age**2) + livch + urban + (urban | district)", ms.datasets.load("Contraception"))
    found = fit.parsimony()
    assert found.table["deviance"].to_numpy()[:3] == pytest.approx(DEVIANCES, abs=2e-6)
    assert found.table["step"].tolist() == ["maximal", "zero correlations", "drop variance", "add correlations"]
    assert isinstance(found.final, ms.GeneralizedResults)
    assert found.final.formula == fit.formula
    assert found.final.family is fit.family


@pytest.mark.parametrize(
    ("response", "given"),
    [
        ("cbind(s, n - s)", {}),
        ("p", {"trials": "n", "nAGQ": 3}),
        ("s", {"weights": "n", "offset": "o"}),
        ("y", {"family": "gamma", "weights": "n", "offset": "o"}),
    ],
)
def test_models_on_the_way_keep_the_arguments_of_the_call(response, given):
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(25), 10), rng.normal(size=250)
    eta = 0.5 * x + (rng.normal(size=25) * 0.9)[g] + (rng.normal(size=25) * 0.5)[g] * x
    n = rng.integers(2, 9, 250)
    s = rng.binomial(n, 1 / (1 + np.exp(-eta)))
    y = rng.gamma(3.0, np.exp(eta) / 3.0)
    data = pd.DataFrame({"g": g, "x": x, "n": n, "s": s, "p": s / n, "y": y, "o": rng.normal(size=250) * 0.2})
    fit = ms.glmer(f"{response} ~ x + (1 + x | g)", data, **given)
    table = fit.parsimony().table
    assert len(table) > 1
    for formula, deviance in zip(table["formula"], table["deviance"], strict=True):
        assert ms.glmer(formula, data, **given).criterion == pytest.approx(deviance, abs=1e-6)


def test_approximate_fits_and_fits_without_an_optimum_are_refused():
    data = ms.datasets.load("Contraception").assign(same=lambda d: (d["district"].astype(str) < "3").astype(int))
    approximate = ms.glmer("use ~ age + (age | district)", data, nAGQ=0)
    with pytest.raises(ms.OptionError, match="parsimony compares maxima of the likelihood, and nAGQ=0"):
        approximate.parsimony()
    with pytest.warns(ms.ConvergenceWarning, match="Variance not estimable"):
        nothing = ms.glmer("same ~ age + (1 | district)", data)
    with pytest.raises(ms.DataError, match="parsimony needs estimates"):
        nothing.parsimony()
