"""Tables of `GeneralizedResults` for other programs and for papers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.maketables import MaketablesMixin
from mixedsparse.ground.choices import Errors, IntervalMethod, NewLevels

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.report.journal import Journal
    from mixedsparse.report.maketables import MaketablesAnswers

__all__ = ["TablesMixin"]


class TablesMixin(MaketablesMixin):
    """Tables of generalized fits: broom.mixed's, LaTeX, one for a paper, and the protocol of maketables."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def tidy(
        self,
        effects: str | Iterable[str] = "fixed",
        conf_int: bool = False,
        conf_level: float = 0.95,
        *,
        conf_method: IntervalMethod = "wald",
        exponentiate: bool = False,
        errors: Errors = "prediction",
    ) -> pd.DataFrame:
        """Estimates, one row each, under the names of R's broom.mixed.

        Parameters
        ----------
        effects, conf_level, errors
            See `MixedResults.tidy`.
        conf_int : bool
            Add ``conf.low`` and ``conf.high``.
        conf_method : {"wald", "profile", "boot"}
            Of the intervals of coefficients, standard deviations and correlations; those of modes are normal.
        exponentiate : bool
            Of the coefficients: odds ratios (logit) or rate ratios (log), with standard errors by the delta method.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.tidy(exponentiate=True)[["term", "estimate", "std.error"]].round(3).head(2)
                  term  estimate  std.error
        0    Intercept     0.247      0.057
        1  period[T.2]     0.371      0.114
        """
        from mixedsparse.report.generalized_tables import tidy_generalized

        return tidy_generalized(self._fitted, effects, conf_int, conf_level, conf_method, exponentiate, errors)

    def glance(self) -> pd.DataFrame:
        """Fit in one row: ``nobs, logLik, AIC, BIC, deviance`` (-2 log L), ``df.residual``, and ``dispersion``."""
        from mixedsparse.report.generalized_tables import glance_generalized

        return glance_generalized(self._fitted)

    def augment(self, newdata: Any = None, *, new_levels: NewLevels = "error") -> pd.DataFrame:
        """Rows with what the model says of each, in the manner of R's broom.mixed.

        Parameters
        ----------
        newdata, new_levels
            See `MixedResults.augment`.

        Returns
        -------
        DataFrame
            The columns that the formula uses (all of those of new rows); ``.fitted``, the conditional mean of the
            response; ``.fixed``, that of a level whose random effects are 0; ``.eta``, the linear predictor. For the
            rows of the fit also ``.resid`` (deviance), ``.pearson``, ``.hat`` (leverage), ``.cooksd`` (Cook's distance;
            both NaN where there is no optimum), and ``.offset``, ``.weights`` and ``.trials``
            where the model has them.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.augment().round(2).iloc[:2].drop(columns=["size", ".fixed", ".eta"])
           incidence period herd  .fitted  .resid  .pearson  .hat  .cooksd  .trials
        0          2      1    1     0.31   -1.44     -1.34  0.41     0.53     14.0
        1          3      2    1     0.14    0.99      1.08  0.25     0.13     12.0
        """
        from mixedsparse.api.augment import augment_generalized

        return augment_generalized(self._fitted, newdata, new_levels)

    def to_latex(self, *, exp: bool = False, caption: str | None = None, label: str | None = None) -> str:
        r"""LaTeX of fixed and random effects, a ``table`` that needs ``\usepackage{booktabs}``.

        Parameters
        ----------
        exp : bool
            Add the exponential of the coefficients with 95 % limits; see `coef_table`.
        caption, label : str, optional
            See `MixedResults.to_latex`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> print("\n".join(fit.to_latex(exp=True).splitlines()[2:7]))
        \begin{tabular}{lrrrrrrr}
        \toprule
        Name & Estimate & Std. Error & z & p & odds ratio & lower & upper \\
        \midrule
        Intercept & $-1.3985$ & 0.2325 & $-6.016$ & $<10^{-4}$ & 0.2470 & 0.1566 & 0.3895 \\
        """
        from mixedsparse.report.generalized import generalized_latex

        return generalized_latex(self._fitted, exp, caption, label)

    def journal(self, exp: bool = False) -> Journal:
        """One table for a paper: fixed effects, and beside them the standard deviations of the random effects.

        Parameters
        ----------
        exp : bool
            Add the exponential of the coefficients with 95 % limits; see `coef_table`.

        Returns
        -------
        Journal
            See `MixedResults.journal`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> print(fit.journal())
                     Estimate  Std. Error      z       p  SD herd
        Intercept     -1.3985      0.2325  -6.02   <1e-4   0.6423
        period[T.2]   -0.9923      0.3066  -3.24  0.0012
        ...
        """
        from mixedsparse.report.generalized import generalized_journal

        return generalized_journal(self._fitted, exp)

    @property
    def endog_names(self) -> str:
        """What the mean is of, under statsmodels' name."""
        return self._fitted.design.response

    def _for_maketables(self) -> MaketablesAnswers:
        from mixedsparse.report.maketables import GeneralizedAnswers

        return GeneralizedAnswers(self._fitted)
