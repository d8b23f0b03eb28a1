"""`GeneralizedResults`: what a fit of a generalized model gives back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.generalized.covariance import CovarianceMixin
from mixedsparse.api.generalized.diagnostics import DiagnosticsMixin
from mixedsparse.api.generalized.means import MeansMixin
from mixedsparse.api.generalized.plots import PlotsMixin
from mixedsparse.api.generalized.resampling import ResamplingMixin
from mixedsparse.api.generalized.rows import RowsMixin
from mixedsparse.api.generalized.tables import TablesMixin
from mixedsparse.api.generalized.testing import TestingMixin
from mixedsparse.api.generalized.updating import UpdatingMixin
from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.api.results.criteria import CriteriaMixin
from mixedsparse.api.results.effects import EffectsMixin
from mixedsparse.api.results.intervals import IntervalsMixin
from mixedsparse.api.results.outcome import OptimResult
from mixedsparse.api.results.paper import PaperMixin
from mixedsparse.api.results.saving import SavingMixin
from mixedsparse.api.results.shared import SharedMixin
from mixedsparse.api.results.solver import SolverMixin
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.ground.choices import CovarianceKind, Ddf

if TYPE_CHECKING:
    from mixedsparse.core.fitting.laplace import GeneralizedCertificate, GeneralizedFit
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.report import Summary

__all__ = ["GeneralizedResults"]

_LONG = 80


@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedResults(
    TestingMixin,
    IntervalsMixin,
    ResamplingMixin,
    DiagnosticsMixin,
    RowsMixin,
    MeansMixin,
    TablesMixin,
    CovarianceMixin,
    EffectsMixin,
    CriteriaMixin,
    PaperMixin,
    PlotsMixin,
    SavingMixin,
    SharedMixin,
    SolverMixin,
    UpdatingMixin,
    ResultsBase,
):
    """Results of a fit of a generalized linear mixed model: immutable, made by `glmer` only.

    Everything is on the scale of the linear predictor unless it says otherwise: coefficients, random effects and their
    covariance. Tests are normal; standard errors allow for the estimation of the covariance parameters.

    Attributes
    ----------
    model : GeneralizedLinearMixedModel
    fit : mixedsparse.core.fitting.laplace.GeneralizedFit
        The optimum as arrays.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
    >>> fit
    <GeneralizedResults: cbind(incidence, size - incidence) ~ period + (1 | herd), binomial(logit), 56 rows, converged>
    """

    model: GeneralizedModel  # type: ignore[assignment]
    fit: GeneralizedFit  # type: ignore[assignment]

    @cached_property
    def _fitted(self) -> GeneralizedFitted:  # type: ignore[override]
        return GeneralizedFitted(self.model, self.fit)

    @property
    def family(self) -> Family:
        """Response family, with its ``name`` and ``link``."""
        return self.model.family

    @property
    def response(self) -> str:
        """What the mean is of: ``"P(r2 = Y)"``, ``"TICKS"``."""
        return self.model.design.response

    @property
    def nAGQ(self) -> int:
        """Nodes of the quadrature: 1 for Laplace's approximation."""
        return self.fit.nodes

    # Coefficients.

    @table_property
    def zvalues(self) -> pd.Series:
        """`params` / `bse`."""
        return (self.params / self.bse).rename("zvalues")

    @property
    def tvalues(self) -> pd.Series:
        """The same as `zvalues`."""
        return self.zvalues

    @table_property
    def pvalues(self) -> pd.Series:
        """Two-sided normal p-values of ``params == 0``."""
        return self.coef_table()["p"].rename("pvalues")

    def cov_params(self, kind: CovarianceKind = "joint") -> pd.DataFrame:
        """Covariance of `params`, (p, p).

        Parameters
        ----------
        kind : {"joint", "conditional"}
            ``"joint"``: the block of beta of twice the inverse of the exact Hessian in theta, beta and the dispersion,
            as in glmmTMB and lme4's default; conditional where that is not positive definite, which `summary` says.
            ``"conditional"``: (X'V^-1 X)^-1, covariance parameters taken as known (lme4's ``use.hessian=FALSE``);
            mostly too small.
        """
        from mixedsparse.inference.wald import cov_params

        return cov_params(self._fitted, kind)

    def coef_table(self, exp: bool = False, level: float = 0.95, *, ddf: Ddf = "normal") -> pd.DataFrame:
        """Table of the fixed effects: estimates, standard errors and z tests of ``params == 0``.

        Parameters
        ----------
        exp : bool
            Add the exponential of the coefficients, an odds ratio (logit), rate ratio (log) or hazard ratio (cloglog),
            with limits.
        level : float
            Of these limits.
        ddf : {"normal"}
            Others are refused: there is no residual variance whose degrees of freedom they would estimate.

        Returns
        -------
        DataFrame, index as `params`
            Columns ``Estimate, SE, z, p``; with `exp` also ``odds ratio`` (or another), ``lower``, ``upper``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.coef_table(exp=True)[["Estimate", "SE", "odds ratio"]].round(3)
                     Estimate     SE  odds ratio
        Intercept      -1.399  0.232       0.247
        period[T.2]    -0.992  0.307       0.371
        period[T.3]    -1.129  0.327       0.323
        period[T.4]    -1.580  0.427       0.206
        """
        from mixedsparse.inference.wald import z_table

        return z_table(self._fitted, exp, level, ddf)

    # How the search ended.

    @property
    def certificate(self) -> GeneralizedCertificate:
        """Evidence for the optimum: gradient, curvature, directions without variance, verdict in words."""
        return self.fit.certificate

    @property
    def optim(self) -> OptimResult:
        """Course of the search: evaluations, steps, gradient, message, seconds, path."""
        fit = self.fit
        return OptimResult(
            nfev=fit.evaluations,
            nit=len(fit.path),
            grad_norm=fit.certificate.scaled_gradient,
            message=self._fitted.message,
            seconds=fit.seconds,
            path=fit.path,
        )

    # Shares of variance.

    def icc(self, by_group: bool = False) -> pd.Series:
        """Intraclass correlation of the linear predictor: the share of the random effects in its variance.

        Parameters
        ----------
        by_group : bool
            One share per grouping factor; they add up to the adjusted one.

        Returns
        -------
        Series
            ``adjusted``: random / (random + distribution); ``unadjusted``: random / (fixed + random + distribution).

        Notes
        -----
        The distribution's variance on this scale is pi^2 / 3 (logit), 1 (probit), pi^2 / 6 (cloglog), or by the delta
        method at the mean of the model without predictors. A random effect for each row counts there.

        References
        ----------
        Nakagawa, Johnson & Schielzeth (2017), J. R. Soc. Interface 14, 20170213.
        """
        from mixedsparse.inference.latent import latent_shares
        from mixedsparse.inference.r2 import icc

        return icc(latent_shares(self._fitted), by_group)

    def r2(self) -> pd.Series:
        """Variance of the linear predictor explained by fixed effects (``marginal``), and with random ones.

        See `icc` for the distribution's variance.
        """
        from mixedsparse.inference.latent import latent_shares
        from mixedsparse.inference.r2 import r2

        return r2(latent_shares(self._fitted))

    def summary(self, ddf: Ddf = "normal") -> Summary:
        """Summary of the fit, as text and as HTML; see `MixedResults.summary`, and `coef_table` for `ddf`."""
        from mixedsparse.report.generalized import summarize_generalized

        return summarize_generalized(self._fitted, ddf)

    def __repr__(self) -> str:
        formula = self.formula if len(self.formula) <= _LONG else f"{self.formula[: _LONG - 3]}..."
        family = f"{self.family.name}({self.family.link.name})"
        return f"<GeneralizedResults: {formula}, {family}, {self.nobs} rows, {self.certificate.verdict}>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __reduce__(self) -> tuple[type, tuple[Any, Any]]:
        return type(self), (self.model, self.fit)
