"""Fits for the Python package maketables, by its plug-in protocol; the package itself is not needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.report.journal import deviations

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["ModelMixedsparse"]

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
}
# Key of the number of levels of a grouping factor: this and its name.
_LEVELS = "n_"


class ModelMixedsparse:
    """A fit with all that maketables asks for: ``ETable([ModelMixedsparse(fit)])``.

    `MixedResults` itself answers the same questions, but maketables 0.2 takes it for a fit of statsmodels, whose names
    it shares: it shows the coefficients and their tests, and nothing of the random effects.

    Parameters
    ----------
    results : MixedResults
    ddf : {"satterthwaite", "kenward-roger", "normal"}
        Degrees of freedom of tests and intervals.

    Notes
    -----
    Tokens of ``coef_fmt``: ``b, se, t, p, ci95l, ci95u, df``, and ``sd_<factor>`` for the standard deviation of the
    random effects of the same name. Keys of ``model_stats``: ``N, ll, aic, bic, criterion, sigma, r2m, r2c, icc,
    method``, and ``n_<factor>`` for the number of levels.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> from mixedsparse.adapters.maketables import ModelMixedsparse
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> ModelMixedsparse(fit).__maketables_coef_table__[["b", "se", "sd_Subject"]].round(2)
                      b    se  sd_Subject
    Coefficient
    Intercept    251.41  6.82       24.74
    Days          10.47  1.55        5.92
    """

    def __init__(self, results: MixedResults, ddf: str = "satterthwaite") -> None:
        self._results = results
        self._ddf = ddf

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        table = self._results.coef_table(ddf=self._ddf)
        limits = self._results.conf_int(ddf=self._ddf)
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
        return out.join(deviations(self._results).add_prefix("sd_"))

    def __maketables_stat__(self, key: str) -> Any:
        if key in _STATISTICS:
            return _STATISTICS[key][1](self._results)
        if key == "se_type":
            return self.__maketables_vcov_info__["vcov_type"]
        return self._results.ngroups.get(key.removeprefix(_LEVELS)) if key.startswith(_LEVELS) else None

    @property
    def __maketables_depvar__(self) -> str:
        return self._results.model.design.response

    @property
    def __maketables_fixef_string__(self) -> None:
        return None  # would be absorbed effects

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return {"vcov_type": f"model-based ({self._results.method})", "clustervar": None}

    @property
    def __maketables_var_labels__(self) -> None:
        return None

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        known = {key: label for key, (label, _) in _STATISTICS.items()}
        return known | {f"{_LEVELS}{group}": f"Levels of {group}" for group in self._results.ngroups}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", *(f"{_LEVELS}{group}" for group in self._results.ngroups), "sigma", "r2m", "r2c"]
