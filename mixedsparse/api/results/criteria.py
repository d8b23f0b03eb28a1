"""The criterion and what is counted: likelihood, information criteria, sizes, degrees of freedom."""

from __future__ import annotations

from mixedsparse.api.results.base import ResultsBase

__all__ = ["CriteriaMixin"]


class CriteriaMixin(ResultsBase):
    """Likelihood side of `MixedResults`."""

    @property
    def reml(self) -> bool:
        """Whether the fit is by restricted maximum likelihood."""
        return self._fitted.reml

    @property
    def method(self) -> str:
        """``"REML"`` or ``"ML"``."""
        return self._fitted.method

    @property
    def formula(self) -> str:
        """Formula of the model."""
        return self.model.formula

    @property
    def criterion(self) -> float:
        """Minimum that was reached: the REML criterion, or -2 log-likelihood after ML."""
        return self.fit.criterion

    @property
    def llf(self) -> float:
        """Log-likelihood, -criterion / 2; the restricted one after REML, as lme4 and statsmodels have it."""
        return self._fitted.llf

    @property
    def aic(self) -> float:
        """Akaike's criterion, -2 llf + 2 df_model (after REML from the restricted likelihood, as in lme4)."""
        return self._fitted.aic

    @property
    def bic(self) -> float:
        """Bayesian information criterion, -2 llf + log(nobs) df_model (as in lme4, also after REML)."""
        return self._fitted.bic

    @property
    def nobs(self) -> int:
        """Number of observations in the fit."""
        return self._fitted.nobs

    @property
    def nmissing(self) -> int:
        """Number of rows left out because a value was missing."""
        return int(self.model.design.nmissing)

    @property
    def df_model(self) -> int:
        """Number of parameters that AIC counts: fixed effects, covariance parameters, sigma."""
        return self._fitted.npar

    @property
    def df_resid(self) -> int:
        """Observations less parameters, nobs - df_model, as lme4's ``df.residual``.

        No definition is canonical in a mixed model: nobs less the fixed effects, and nobs less the trace of the
        hat matrix, are in use too. No test of this package rests on it.
        """
        return self.nobs - self.df_model
