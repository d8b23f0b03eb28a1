"""Tables of generalized fits for other programs, in the vocabulary of R's broom.mixed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import check_level
from mixedsparse.ground.choices import IntervalMethod
from mixedsparse.inference.components import varcorr
from mixedsparse.inference.intervals import conf_int
from mixedsparse.inference.parameters import parameters
from mixedsparse.inference.wald import z_table
from mixedsparse.report.tidy import assembled, modes_table, with_limits

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["glance_generalized", "tidy_generalized"]


def tidy_generalized(
    fitted: GeneralizedFitted,
    effects: str | Iterable[str],
    conf_int: bool,
    conf_level: float,
    conf_method: IntervalMethod,
    exponentiate: bool,
    errors: str,
) -> pd.DataFrame:
    """See `GeneralizedResults.tidy`."""
    check_level(conf_level, "conf_level")
    level = conf_level if conf_int else None
    return assembled(
        effects,
        {
            "fixed": lambda: _fixed(fitted, level, conf_method, exponentiate),
            "ran_pars": lambda: _ran_pars(fitted, level, conf_method),
            "ran_vals": lambda: modes_table(fitted, level, errors),
        },
    )


def _fixed(fitted: GeneralizedFitted, level: float | None, method: IntervalMethod, exponentiate: bool) -> pd.DataFrame:
    found = z_table(fitted)
    estimate, se = found["Estimate"].to_numpy(), found["SE"].to_numpy()
    shown = np.exp if exponentiate else lambda values: values
    table = pd.DataFrame(
        {
            "effect": "fixed",
            "term": list(found.index),
            "estimate": shown(estimate),
            "std.error": se * np.exp(estimate) if exponentiate else se,
            "statistic": found["z"].to_numpy(),
            "p.value": found["p"].to_numpy(),
        }
    )
    if level is None:
        return table
    return with_limits(table, shown(conf_int(fitted, 1.0 - level, method, "fixed")))


def _ran_pars(fitted: GeneralizedFitted, level: float | None, method: IntervalMethod) -> pd.DataFrame:
    found = varcorr(fitted)
    pairs = zip(found["var1"], found["var2"], strict=True)
    terms = [f"sd__{first}" if pd.isna(second) else f"cor__{first}.{second}" for first, second in pairs]
    columns = {"effect": "ran_pars", "group": list(found["grp"]), "term": terms, "estimate": found["sdcor"].to_numpy()}
    table = pd.DataFrame(columns)
    if level is None:
        return table
    # In the order of varcorr: per term standard deviations, then correlations.
    names = [parameter.name for parameter in parameters(fitted) if parameter.kind in ("sd", "cor")]
    return with_limits(table, conf_int(fitted, 1.0 - level, method, names))


def glance_generalized(fitted: GeneralizedFitted) -> pd.DataFrame:
    """See `GeneralizedResults.glance`."""
    row = {
        "nobs": fitted.nobs,
        "logLik": fitted.llf,
        "AIC": fitted.aic,
        "BIC": fitted.bic,
        "deviance": fitted.criterion,
        "df.residual": fitted.nobs - fitted.npar,
    }
    if np.isfinite(fitted.dispersion):
        row["dispersion"] = fitted.dispersion
    return pd.DataFrame([row])
