"""What the Python package maketables asks of a fit, by its plug-in protocol; the package itself is not needed here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.coefficients import coef_table
from mixedsparse.inference.intervals import conf_int
from mixedsparse.inference.latent import latent_shares
from mixedsparse.inference.r2 import icc, r2, variance_shares
from mixedsparse.inference.wald import RATIOS, z_table
from mixedsparse.report.journal import deviations

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["GeneralizedAnswers", "MaketablesAnswers"]

# Key of a statistic -> label, and how to read it.
_STATISTICS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "N": ("Observations", lambda fitted: fitted.nobs),
    "ll": ("Log-likelihood", lambda fitted: fitted.llf),
    "aic": ("AIC", lambda fitted: fitted.aic),
    "bic": ("BIC", lambda fitted: fitted.bic),
    "criterion": ("Criterion", lambda fitted: fitted.criterion),
    "sigma": ("Residual SD", lambda fitted: fitted.sigma),
    "r2m": ("Marginal R²", lambda fitted: float(r2(variance_shares(fitted))["marginal"])),
    "r2c": ("Conditional R²", lambda fitted: float(r2(variance_shares(fitted))["conditional"])),
    "icc": ("ICC", lambda fitted: float(icc(variance_shares(fitted))["adjusted"])),
    "method": ("Fitted by", lambda fitted: fitted.method),
}
# Key of the number of levels of a grouping factor: this and its name.
_LEVELS = "n_"


class MaketablesAnswers:
    """The protocol of maketables for a `Fitted`; `ddf` is that of tests and intervals."""

    _statistics: ClassVar[Mapping[str, tuple[str, Callable[[Any], Any]]]] = _STATISTICS
    # Those that are shown by default, after the sizes.
    _shown: ClassVar[Sequence[str]] = ("sigma", "r2m", "r2c")

    def __init__(self, fitted: Fitted, ddf: str = "satterthwaite") -> None:
        self._fitted = fitted
        self._ddf = ddf

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        table = self._coefficients()
        table.index.name = "Coefficient"
        return table.join(deviations(self._fitted).add_prefix("sd_"))

    def _coefficients(self) -> pd.DataFrame:
        """Estimates, standard errors, tests and limits."""
        table = coef_table(self._fitted, self._ddf)
        limits = conf_int(self._fitted, ddf=self._ddf)
        return pd.DataFrame(
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

    def __maketables_stat__(self, key: str) -> Any:
        if key in self._statistics:
            return self._statistics[key][1](self._fitted)
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
        known = {key: label for key, (label, _) in self._statistics.items()}
        return known | {f"{_LEVELS}{group}": f"Levels of {group}" for group in self._fitted.ngroups}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", *(f"{_LEVELS}{group}" for group in self._fitted.ngroups), *self._shown]


class GeneralizedAnswers(MaketablesAnswers):
    """The protocol of maketables for a `GeneralizedFitted`: normal tests, and ratios with limits where they mean some.

    Statistics of the linear predictor's scale take the place of the residual's.
    """

    _fitted: GeneralizedFitted
    _statistics: ClassVar = {
        **{key: _STATISTICS[key] for key in ("N", "ll", "aic", "bic", "criterion", "method")},
        "r2m": ("Marginal R²", lambda fitted: float(r2(latent_shares(fitted))["marginal"])),
        "r2c": ("Conditional R²", lambda fitted: float(r2(latent_shares(fitted))["conditional"])),
        "icc": ("ICC", lambda fitted: float(icc(latent_shares(fitted))["adjusted"])),
        "family": ("Family", lambda fitted: f"{fitted.family.name} ({fitted.family.link.name})"),
    }
    _shown: ClassVar = ("family", "r2m", "r2c")

    def __init__(self, fitted: GeneralizedFitted) -> None:
        super().__init__(fitted, "normal")

    def _coefficients(self) -> pd.DataFrame:
        exp = self._fitted.family.link.name in RATIOS
        table = z_table(self._fitted, exp=exp)
        half = t_quantile(np.inf, 0.95) * table["SE"]
        out = pd.DataFrame({"b": table["Estimate"], "se": table["SE"], "t": table["z"], "p": table["p"]})
        out = out.assign(ci95l=out["b"] - half, ci95u=out["b"] + half, df=np.inf)
        return out.assign(ratio=np.exp(out["b"]), ratio95l=table["lower"], ratio95u=table["upper"]) if exp else out
