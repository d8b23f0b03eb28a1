"""Tables in the vocabulary of R's broom.mixed: a row per estimate, a row per fit, a row per observation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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

__all__ = ["assembled", "glance", "modes_table", "tidy", "with_limits"]

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
    level = conf_level if conf_int else None
    return assembled(
        effects,
        {
            "fixed": lambda: _fixed(fitted, level, conf_method, ddf),
            "ran_pars": lambda: _ran_pars(fitted, level, conf_method),
            "ran_vals": lambda: modes_table(fitted, level, errors),
        },
    )


def assembled(effects: str | Iterable[str], makers: Mapping[str, Callable[[], pd.DataFrame]]) -> pd.DataFrame:
    """Tables of the kinds of `effects` below each other, in broom's columns."""
    wanted = [effects] if isinstance(effects, str) else list(effects)
    for name in wanted:
        if name not in makers:
            raise OptionError(f"effects={name!r} is not known; use one or more of {', '.join(map(repr, makers))}.")
    tables = [makers[name]() for name in dict.fromkeys(wanted)]
    if not tables:
        raise OptionError(f"effects={effects!r} is empty; use one or more of {', '.join(map(repr, makers))}.")
    columns = [column for column in [*_COLUMNS, *_LIMITS] if any(column in table for table in tables)]
    filled = [table for table in tables if len(table)]  # pandas 2 warns of empty ones
    return pd.concat(filled or tables, ignore_index=True).reindex(columns=columns)


def with_limits(table: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of limits."""
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
    return with_limits(table, conf_int(fitted, 1.0 - level, method, "fixed", **reference))


def _ran_pars(fitted: Fitted, level: float | None, method: str) -> pd.DataFrame:
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
    return table if level is None else with_limits(table, conf_int(fitted, 1.0 - level, method, "random"))


def modes_table(fitted: Fitted, level: float | None, errors: str) -> pd.DataFrame:
    """Conditional modes with standard errors, and normal limits on request."""
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
    return with_limits(table, pd.concat([table["estimate"] - half, table["estimate"] + half], axis=1))


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
