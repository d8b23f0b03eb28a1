"""Tables in the vocabulary of R's broom.mixed: a row per estimate, a row per fit, a row per observation."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.data.formula.frames import open_table
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["augment", "glance", "tidy"]

# In broom's order.
_COLUMNS = ["effect", "group", "level", "term", "estimate", "std.error", "statistic", "df", "p.value"]
_LIMITS = ["conf.low", "conf.high"]


def tidy(
    results: MixedResults,
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
    tables = [makers[name](results, level, conf_method, ddf) for name in dict.fromkeys(wanted)]
    if not tables:
        raise OptionError(f"effects={effects!r} is empty; use one or more of {', '.join(map(repr, makers))}.")
    columns = [column for column in [*_COLUMNS, *_LIMITS] if any(column in table for table in tables)]
    filled = [table for table in tables if len(table)]  # pandas 2 warns of empty ones
    return pd.concat(filled or tables, ignore_index=True).reindex(columns=columns)


def _with_limits(table: pd.DataFrame, limits: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**dict(zip(_LIMITS, limits.to_numpy().T, strict=True)))


def _fixed(results: MixedResults, level: float | None, method: str, ddf: str) -> pd.DataFrame:
    found = results.coef_table(ddf=ddf)
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
    return _with_limits(table, results.conf_int(1.0 - level, method, "fixed", **reference))


def _ran_pars(results: MixedResults, level: float | None, method: str, ddf: str) -> pd.DataFrame:
    varcorr = results.varcorr()
    pairs = zip(varcorr["var1"].iloc[:-1], varcorr["var2"].iloc[:-1], strict=True)
    terms = [f"sd__{first}" if pd.isna(second) else f"cor__{first}.{second}" for first, second in pairs]
    table = pd.DataFrame(
        {
            "effect": "ran_pars",
            "group": list(varcorr["grp"]),
            "term": [*terms, "sd__Observation"],
            "estimate": varcorr["sdcor"].to_numpy(),
        }
    )
    # The rows of conf_int come in the order of varcorr: per term standard deviations, then correlations; sigma last.
    return table if level is None else _with_limits(table, results.conf_int(1.0 - level, method, "random"))


def _ran_vals(results: MixedResults, level: float | None, method: str, ddf: str, *, errors: str) -> pd.DataFrame:
    deviations = results._mode_errors(errors)
    tables = []
    for group, modes in results.random_effects.items():
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


def glance(results: MixedResults) -> pd.DataFrame:
    """See `MixedResults.glance`."""
    row = {
        "nobs": results.nobs,
        "sigma": results.sigma,
        "logLik": results.llf,
        "AIC": results.aic,
        "BIC": results.bic,
        "REMLcrit" if results.reml else "deviance": results.criterion,
        "df.residual": results.df_resid,
    }
    return pd.DataFrame([row])


def augment(results: MixedResults, newdata: Any, new_levels: str) -> pd.DataFrame:
    """See `MixedResults.augment`."""
    if newdata is not None:
        fitted = results.predict(newdata, new_levels=new_levels)
        new = open_table(newdata)
        table = pd.DataFrame({name: new.column(name) for name in new.names}, index=fitted.index)
        return table.assign(**{".fitted": fitted, ".fixed": results.predict(newdata, random="population")})
    design = results.model.design
    columns: dict[str, Any] = {}
    if design.source is not None and design.encoding is not None:
        # In the order of the formula; columns named by weights= and offset= last.
        names = dict.fromkeys([*design.encoding.parsed.columns, *design.source.columns])
        columns = {name: design.source.columns[name] for name in names}
    table = pd.DataFrame(columns, index=design.index)
    if design.response not in table:
        table.insert(0, design.response, design.y)
    table[".fitted"] = results.fittedvalues
    table[".fixed"] = results.predict(random="population")
    table[".resid"] = results.resid
    table[".hat"] = results.leverage()
    table[".cooksd"] = results.cooks_distance()
    if design.offset is not None:
        table[".offset"] = design.offset
    if design.weights is not None:
        table[".weights"] = design.weights
    return table
