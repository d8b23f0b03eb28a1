"""Tables for other programs and for papers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.maketables import MaketablesMixin
from mixedsparse.ground.choices import Ddf, Errors, IntervalMethod, NewLevels

if TYPE_CHECKING:
    from mixedsparse.report.journal import Journal

__all__ = ["TablesMixin"]


class TablesMixin(MaketablesMixin):
    """Tables of `MixedResults`: broom.mixed's, LaTeX, one for a paper, and the protocol of maketables."""

    def tidy(
        self,
        effects: str | Iterable[str] = "fixed",
        conf_int: bool = False,
        conf_level: float = 0.95,
        conf_method: IntervalMethod = "wald",
        ddf: Ddf = "satterthwaite",
        errors: Errors = "prediction",
    ) -> pd.DataFrame:
        """Estimates, one row each, under the names of R's broom.mixed.

        Parameters
        ----------
        effects : {"fixed", "ran_pars", "ran_vals"} or several of them
            Coefficients; standard deviations (``sd__x``), correlations (``cor__x.z``) and the residual's standard
            deviation (``sd__Observation``); or conditional modes.
        conf_int : bool
            Add ``conf.low`` and ``conf.high``.
        conf_level : float
        conf_method : {"wald", "profile", "boot"}
            Of the intervals of coefficients and of standard deviations and correlations, see `conf_int`; those of
            modes are normal.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            Of the tests and Wald intervals of coefficients.
        errors : {"prediction", "conditional"}
            Standard errors of modes: of their errors as predictions, coefficients estimated
            (`random_effects_error_cov`); or given y and the coefficients (`random_effects_cov`, lme4's ``condVar``,
            what broom.mixed shows), whose intervals are too short.

        Returns
        -------
        DataFrame
            ``effect, term, estimate, std.error, statistic, df, p.value`` for coefficients; ``effect, group, term,
            estimate`` for parameters; ``effect, group, level, term, estimate, std.error`` for modes. Several kinds at
            once have all of their columns, NaN where one does not apply.

        Raises
        ------
        OptionError
            `effects` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.tidy("ran_pars").round(3)
             effect     group                 term  estimate
        0  ran_pars   Subject        sd__Intercept    24.740
        1  ran_pars   Subject             sd__Days     5.922
        2  ran_pars   Subject  cor__Intercept.Days     0.066
        3  ran_pars  Residual      sd__Observation    25.592
        """
        from mixedsparse.report.tidy import tidy

        return tidy(self._fitted, effects, conf_int, conf_level, conf_method, ddf, errors)

    def glance(self) -> pd.DataFrame:
        """Fit in one row, under the names of R's broom.mixed.

        Returns
        -------
        DataFrame, one row
            ``nobs, sigma, logLik, AIC, BIC``, ``REMLcrit`` (``deviance`` after ML), ``df.residual``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> fit.glance().round(2)
           nobs  sigma  logLik     AIC     BIC  REMLcrit  df.residual
        0    30  49.51 -159.83  325.65  329.86    319.65           27
        """
        from mixedsparse.report.tidy import glance

        return glance(self._fitted)

    def augment(self, newdata: Any = None, *, new_levels: NewLevels = "error") -> pd.DataFrame:
        """Rows with what the model says of each, under the names of R's broom.mixed.

        Parameters
        ----------
        newdata : data frame, optional
            pandas, polars or pyarrow table, or dict of columns; the rows of the fit by default.
        new_levels : {"error", "zero"}
            See `predict`.

        Returns
        -------
        DataFrame
            For the rows of the fit (dropped rows left out) the columns that the formula uses, ``.fitted``
            (conditional), ``.fixed`` (population mean), ``.resid``, ``.hat`` (leverage), ``.cooksd`` (Cook's distance),
            and ``.offset`` and ``.weights`` where the model has them. For new rows all of their columns, ``.fitted``
            and ``.fixed``. On the index of the data.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.augment().round(2).head(2)
           Reaction  Days Subject  .fitted  .fixed  .resid  .hat  .cooksd
        0    249.56     0     308   253.66  251.41   -4.10  0.23     0.00
        1    258.70     1     308   273.33  261.87  -14.63  0.17     0.04
        """
        from mixedsparse.api.augment import augment

        return augment(self._fitted, newdata, new_levels)

    def to_latex(self, ddf: Ddf = "satterthwaite", *, caption: str | None = None, label: str | None = None) -> str:
        r"""LaTeX of fixed and random effects, a ``table`` that needs ``\usepackage{booktabs}``.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "normal"}
        caption : str, optional
            Plain text; special characters are escaped, as in all names.
        label : str, optional
            For ``\ref``; as it is.

        Returns
        -------
        str

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> print(fit.to_latex(caption="Yield of dyestuff"))
        \begin{table}
        \centering
        \caption{Yield of dyestuff}
        \begin{tabular}{lrrrrr}
        \toprule
        Name & Estimate & Std. Error & df & t & p \\
        ...
        """
        from mixedsparse.report.latex import to_latex

        return to_latex(self._fitted, ddf, caption, label)

    def journal(self, ddf: Ddf = "satterthwaite") -> Journal:
        """One table for a paper: fixed effects, and beside them the standard deviations of the random effects.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "normal"}

        Returns
        -------
        Journal
            ``.table`` is the DataFrame, ``.to_latex(caption, label)`` and ``.to_html()`` its layouts. Each grouping
            factor, and the residual, has a column ``SD ...``. Correlations are left out: see `varcorr`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> print(fit.journal())
                   Estimate  Std. Error    df      t      p  SD Subject  SD Residual
        Intercept   251.405       6.825  17.0  36.84  <1e-4      24.74         25.59
        Days         10.467       1.546  17.0   6.77  <1e-4       5.922
        ...
        """
        from mixedsparse.report.journal import journal

        return journal(self._fitted, ddf)

    @property
    def endog_names(self) -> str:
        """Name of the response as the formula has it, under statsmodels' name."""
        return self.model.design.response
