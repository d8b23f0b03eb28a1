"""What maketables asks of a fit (its plug-in protocol); the package itself is not needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.report.journal import deviations

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["coef_table", "default_keys", "labels", "stat"]

# Key of a statistic -> label, and how to read it.
_STATISTICS = {
    "N": ("Observations", lambda results: results.nobs),
    "ll": ("Log-likelihood", lambda results: results.llf),
    "aic": ("AIC", lambda results: results.aic),
    "bic": ("BIC", lambda results: results.bic),
    "criterion": ("Criterion", lambda results: results.criterion),
    "sigma": ("Residual SD", lambda results: results.sigma),
    "r2m": ("Marginal R²", lambda results: float(results.r2()["marginal"])),
    "r2c": ("Conditional R²", lambda results: float(results.r2()["conditional"])),
    "icc": ("ICC", lambda results: float(results.icc()["adjusted"])),
    "method": ("Fitted by", lambda results: results.method),
    "se_type": ("S.E. type", lambda results: f"model-based, {results.method}"),
}
# Key of the number of levels of a grouping factor: this and its name.
_LEVELS = "n_"


def coef_table(results: MixedResults) -> pd.DataFrame:
    """Coefficients under maketables' column names, Satterthwaite's tests, standard deviations as ``sd_<factor>``."""
    table = results.coef_table()
    limits = results.conf_int(ddf="satterthwaite")
    out = pd.DataFrame(
        {
            "b": table["Estimate"],
            "se": table["SE"],
            "t": table["t"],
            "p": table["p"],
            "ci95l": limits["lower"],
            "ci95u": limits["upper"],
            "df": table["df"],
        }
    )
    out.index.name = "Coefficient"
    return out.join(deviations(results).add_prefix("sd_"))


def stat(results: MixedResults, key: str) -> Any:
    """One statistic, None for a key that is not known."""
    if key in _STATISTICS:
        return _STATISTICS[key][1](results)
    return results.ngroups.get(key.removeprefix(_LEVELS)) if key.startswith(_LEVELS) else None


def labels(results: MixedResults) -> dict[str, str]:
    """Key -> text beside the statistic."""
    known = {key: label for key, (label, _) in _STATISTICS.items()}
    return known | {f"{_LEVELS}{group}": f"Levels of {group}" for group in results.ngroups}


def default_keys(results: MixedResults) -> list[str]:
    """Statistics that a table shows unless told otherwise."""
    return ["N", *(f"{_LEVELS}{group}" for group in results.ngroups), "sigma", "r2m", "r2c"]
