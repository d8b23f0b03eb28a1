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
from mixedsparse.inference.residual_parameters import residual_params

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
    count = found.attrs["residual"]
    first = len(found) - count
    pairs = zip(found["var1"].iloc[:first], found["var2"].iloc[:first], strict=True)
    terms = [f"sd__{one}" if pd.isna(other) else f"cor__{one}.{other}" for one, other in pairs]
    terms += ["sd__Observation" if pd.isna(name) else f"sd__{name}" for name in found["var1"].iloc[first:]]
    table = pd.DataFrame(
        {
            "effect": "ran_pars",
            "group": list(found["grp"]),
            "term": terms,
            "estimate": found["sdcor"].to_numpy(),
        }
    )
    # The rows of conf_int come in the order of varcorr: per term standard deviations, then correlations; sigma last.
    if level is None:
        return table
    limits = conf_int(fitted, 1.0 - level, method, "random")
    # Profiles know the parameters of the residuals by name, and have them behind sigma; their other limits are Wald's.
    inside = limits.loc[:"sigma"]
    if len(inside) != first + 1:
        # A structure has fewer parameters than variances and correlations: limits are there for those that it has.
        pairs = zip(found["var1"].iloc[:first], found["var2"].iloc[:first], found["grp"].iloc[:first], strict=True)
        names = [f"sd({one}|{g})" if pd.isna(other) else f"cor({one},{other}|{g})" for one, other, g in pairs]
        inside = inside.reindex([*names, "sigma"])
    if fitted.fit.residual is not None:
        own = residual_params(fitted, level)
        own = own[~own["parameter"].str.startswith(("cor", "log variance"))]
        ends = limits.reindex(own["parameter"]) if method == "profile" else own[["lower", "upper"]]
        inside = pd.concat([inside.iloc[:-1], ends])
    return with_limits(table, inside)


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
    if not tables:
        return pd.DataFrame(columns=["effect", "group", "level", "term", "estimate", "std.error"])
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
