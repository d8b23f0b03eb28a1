"""A typed script as a user writes it: mypy and pyright check it, and the tests run it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from typing_extensions import assert_type

import mixedsparse as ms


def table_of(formulas: Sequence[str], data: pd.DataFrame) -> pd.DataFrame:
    """Return one row per model."""
    fits: list[ms.MixedResults] = [ms.lmer(formula, data, reml=False) for formula in formulas]
    return pd.DataFrame({"formula": list(formulas), "AIC": [fit.aic for fit in fits]})


def main() -> None:
    """Fit, test, predict, draw."""
    sleep = ms.datasets.load("sleepstudy")
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", sleep, method="auto")
    assert_type(fit, ms.MixedResults)
    assert_type(fit.params, pd.Series)
    assert_type(fit.criterion, float)
    assert_type(fit.converged, bool)
    assert_type(fit.nobs, int)
    assert_type(fit.theta, np.ndarray)
    assert_type(fit.cov_params(), pd.DataFrame)
    assert_type(fit.coef_table(ddf="satterthwaite"), pd.DataFrame)
    assert_type(fit.varcorr(), pd.DataFrame)
    assert_type(fit.random_effects, dict[str, pd.DataFrame])
    assert_type(fit.conf_int(), pd.DataFrame)
    assert_type(fit.anova(type=2), pd.DataFrame)
    assert_type(fit.emmeans("Days", at={"Days": [0, 5]}).table, pd.DataFrame)
    assert_type(fit.tidy(effects="ran_pars"), pd.DataFrame)

    assert_type(fit.predict(), pd.Series)
    assert_type(fit.predict(sleep, random="population"), pd.Series)
    assert_type(fit.predict(sleep, interval="prediction"), pd.DataFrame)
    assert_type(fit.predict(sleep, interval=None), pd.Series)

    model = ms.LinearMixedModel("Reaction ~ Days + (1 | Subject)", sleep)
    assert_type(model.fit(reml=False), ms.MixedResults)
    assert_type(model.objective([1.0]), float)
    assert_type(ms.anova(model.fit(reml=False), fit), pd.DataFrame)

    accuracy = ms.glmer("r2 ~ Anger + situ + (1 | id) + (1 | item)", ms.datasets.load("VerbAgg"), "binomial")
    assert_type(accuracy, ms.GeneralizedResults)
    assert_type(accuracy.coef_table(exp=True), pd.DataFrame)
    assert_type(accuracy.predict(type="link"), pd.Series)
    assert_type(accuracy.predict(interval="confidence"), pd.DataFrame)
    assert_type(accuracy.residuals("quantile", seed=1), pd.Series)

    assert_type(fit.plot.residuals(), Axes)
    assert_type(fit.plot.caterpillar(), Axes | np.ndarray)
    table_of(["Reaction ~ Days + (1 | Subject)", "Reaction ~ 1 + (1 | Subject)"], sleep)

    try:
        ms.lmer("Reaction ~ Days + (1 | Nobody)", sleep)
    except ms.MixedSparseError as error:
        print(error)


if __name__ == "__main__":
    main()
