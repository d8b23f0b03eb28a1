"""Tables in the vocabulary of R's broom.mixed: a row per estimate, a row per fit, a row per observation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.components import varcorr
from mixedsparse.inference.intervals import conf_int
from mixedsparse.inference.modes import mode_errors, random_effects

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["glance", "tidy"]

# In broom's order.
_COLUMNS = ["effect", "group", "level", "term", "estimate", "std.error", "statistic", "df", "p.value"]
_LIMITS = ["conf.low", "conf.high"]


def tidy(
    fitted: Fitted,
    effects: str | Iterable[str],
    conf_int: bool,
    conf_level: float,
    conf_method: str,
    ddf: str,
    errors: str,
) -> pd.DataFrame:
    """See `MixedResults.tidy`."""
    wanted = [effects] if isinstance(effects, str) else list(effects)
    makers = {"fixed": _fixed, "ran_pars": _ran_pars, "ran_vals": partial(_ran_vals, errors=errors)}
    for name in wanted:
        if name not in makers:
            raise OptionError(f"effects={name!r} is not known; use one or more of {', '.join(map(repr, makers))}.")
    level = conf_level if conf_int else None
    tables = [makers[name](fitted, level, conf_method, ddf) for name in dict.fromkeys(wanted)]
    if not tables:
        raise OptionError(f"effects={effects!r} is empty; use one or more of {', '.join(map(repr, makers))}.")
    columns = [column for column in [*_COLUMNS, *_LIMITS] if any(column in table for table in tables)]
    filled = [table for table in tables if len(table)]  # pandas 2 warns of empty ones
    return pd.concat(filled or tables, ignore_index=True).reindex(columns=columns)


def _with_limits(table: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**dict(zip(_LIMITS, limits.to_numpy().T, strict=True)))


def _fixed(fitted: Fitted, level: float | None, method: str, ddf: str) -> pd.DataFrame:
    found = coef_table(fitted, ddf=ddf)
    table = pd.DataFrame(
        {
            "effect": "fixed",
            "term": list(found.index),
            "estimate": found["Estimate"].to_numpy(),
            "std.error": found["SE"].to_numpy(),
            "statistic": found["t"].to_numpy(),
            "df": found["df"].to_numpy(),
            "p.value": found["p"].to_numpy(),
        }
    )
    if level is None:
        return table
    reference = {"ddf": ddf} if method == "wald" else {}
    return _with_limits(table, conf_int(fitted, 1.0 - level, method, "fixed", **reference))


def _ran_pars(fitted: Fitted, level: float | None, method: str, ddf: str) -> pd.DataFrame:
    found = varcorr(fitted)
    pairs = zip(found["var1"].iloc[:-1], found["var2"].iloc[:-1], strict=True)
    terms = [f"sd__{first}" if pd.isna(second) else f"cor__{first}.{second}" for first, second in pairs]
    table = pd.DataFrame(
        {
            "effect": "ran_pars",
            "group": list(found["grp"]),
            "term": [*terms, "sd__Observation"],
            "estimate": found["sdcor"].to_numpy(),
        }
    )
    # The rows of conf_int come in the order of varcorr: per term standard deviations, then correlations; sigma last.
    return table if level is None else _with_limits(table, conf_int(fitted, 1.0 - level, method, "random"))


def _ran_vals(fitted: Fitted, level: float | None, method: str, ddf: str, *, errors: str) -> pd.DataFrame:
    deviations = mode_errors(fitted, errors)
    tables = []
    for group, modes in random_effects(fitted).items():
        values = modes.to_numpy()
        tables.append(
            pd.DataFrame(
                {
                    "effect": "ran_vals",
                    "group": group,
                    "level": np.repeat(np.asarray(modes.index, dtype=object), modes.shape[1]),
                    "term": np.tile(np.asarray(modes.columns, dtype=object), len(modes)),
                    "estimate": values.ravel(),
                    "std.error": deviations[group].ravel(),
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    if level is None:
        return table
    half = float(ndtri(0.5 + 0.5 * level)) * table["std.error"]
    return _with_limits(table, pd.concat([table["estimate"] - half, table["estimate"] + half], axis=1))


def glance(fitted: Fitted) -> pd.DataFrame:
    """See `MixedResults.glance`."""
    row = {
        "nobs": fitted.nobs,
        "sigma": fitted.sigma,
        "logLik": fitted.llf,
        "AIC": fitted.aic,
        "BIC": fitted.bic,
        "REMLcrit" if fitted.reml else "deviance": fitted.criterion,
        "df.residual": (fitted.nobs - fitted.npar),
    }
    return pd.DataFrame([row])
