"""What the Python package maketables asks of a fit, by its plug-in protocol; the package itself is not needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.intervals import conf_int
from mixedsparse.inference.r2 import icc, r2
from mixedsparse.report.journal import deviations

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["MaketablesAnswers"]

# Key of a statistic -> label, and how to read it.
_STATISTICS = {
    "N": ("Observations", lambda fitted: fitted.nobs),
    "ll": ("Log-likelihood", lambda fitted: fitted.llf),
    "aic": ("AIC", lambda fitted: fitted.aic),
    "bic": ("BIC", lambda fitted: fitted.bic),
    "criterion": ("Criterion", lambda fitted: fitted.criterion),
    "sigma": ("Residual SD", lambda fitted: fitted.sigma),
    "r2m": ("Marginal R²", lambda fitted: float(r2(fitted)["marginal"])),
    "r2c": ("Conditional R²", lambda fitted: float(r2(fitted)["conditional"])),
    "icc": ("ICC", lambda fitted: float(icc(fitted)["adjusted"])),
    "method": ("Fitted by", lambda fitted: fitted.method),
}
# Key of the number of levels of a grouping factor: this and its name.
_LEVELS = "n_"


class MaketablesAnswers:
    """The protocol of maketables for a `Fitted`; `ddf` is that of tests and intervals."""

    def __init__(self, fitted: Fitted, ddf: str = "satterthwaite") -> None:
        self._fitted = fitted
        self._ddf = ddf

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        table = coef_table(self._fitted, self._ddf)
        limits = conf_int(self._fitted, ddf=self._ddf)
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
        return out.join(deviations(self._fitted).add_prefix("sd_"))

    def __maketables_stat__(self, key: str) -> Any:
        if key in _STATISTICS:
            return _STATISTICS[key][1](self._fitted)
        if key == "se_type":
            return self.__maketables_vcov_info__["vcov_type"]
        return self._fitted.ngroups.get(key.removeprefix(_LEVELS)) if key.startswith(_LEVELS) else None

    @property
    def __maketables_depvar__(self) -> str:
        return self._fitted.design.response

    @property
    def __maketables_fixef_string__(self) -> None:
        return None  # would be absorbed effects

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return {"vcov_type": f"model-based ({self._fitted.method})", "clustervar": None}

    @property
    def __maketables_var_labels__(self) -> None:
        return None

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        known = {key: label for key, (label, _) in _STATISTICS.items()}
        return known | {f"{_LEVELS}{group}": f"Levels of {group}" for group in self._fitted.ngroups}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", *(f"{_LEVELS}{group}" for group in self._fitted.ngroups), "sigma", "r2m", "r2c"]
