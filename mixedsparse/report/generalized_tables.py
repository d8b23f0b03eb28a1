"""Tables of generalized fits for other programs, in the vocabulary of R's broom.mixed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import check_level
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.components import varcorr
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
    exponentiate: bool,
    errors: str,
) -> pd.DataFrame:
    """See `GeneralizedResults.tidy`."""
    check_level(conf_level, "conf_level")
    level = conf_level if conf_int else None
    return assembled(
        effects,
        {
            "fixed": lambda: _fixed(fitted, level, exponentiate),
            "ran_pars": lambda: _ran_pars(fitted),
            "ran_vals": lambda: modes_table(fitted, level, errors),
        },
    )


def _fixed(fitted: GeneralizedFitted, level: float | None, exponentiate: bool) -> pd.DataFrame:
    found = z_table(fitted)
    estimate, se = found["Estimate"].to_numpy(), found["SE"].to_numpy()
    shown = np.exp if exponentiate else np.asarray
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
    half = t_quantile(np.inf, level) * se
    return with_limits(table, pd.DataFrame({"low": shown(estimate - half), "high": shown(estimate + half)}))


def _ran_pars(fitted: GeneralizedFitted) -> pd.DataFrame:
    found = varcorr(fitted)
    pairs = zip(found["var1"], found["var2"], strict=True)
    terms = [f"sd__{first}" if pd.isna(second) else f"cor__{first}.{second}" for first, second in pairs]
    columns = {"effect": "ran_pars", "group": list(found["grp"]), "term": terms, "estimate": found["sdcor"].to_numpy()}
    return pd.DataFrame(columns)


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
