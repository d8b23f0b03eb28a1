"""`MixedLMResults`: a fit in statsmodels' shapes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.compat.arguments import check_fit
from mixedsparse.compat.estimates import EstimatesMixin
from mixedsparse.compat.profile import profile_variance
from mixedsparse.compat.ranef import conditional_covariances, conditional_means
from mixedsparse.compat.storing import StoringMixin
from mixedsparse.compat.summary import MixedLMSummary, make_summary
from mixedsparse.compat.testing import TestingMixin
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults
    from mixedsparse.compat.facts import FactsMixin

__all__ = ["MixedLMResults"]


class MixedLMResults(EstimatesMixin, TestingMixin, StoringMixin):
    """Results of `MixedLM.fit` under statsmodels' names and in its shapes.

    Vectors are Series and matrices DataFrames for a model from formulas or pandas objects, arrays otherwise.

    Attributes
    ----------
    model : MixedLM
    independent : bool
        Whether the groups' random effects are without correlations (`free` of `MixedLM.fit`).

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.mixedlm("Weight ~ Time", ms.datasets.load("dietox"), groups="Pig").fit()
    >>> fit.params.round(3).to_dict()
    {'Intercept': 15.724, 'Time': 6.943, 'Pig Var': 3.554}
    """

    # statsmodels' name for a normal reference of the parameters' tests.
    use_t = False

    def __init__(self, model: FactsMixin, mixed: MixedResults, independent: bool) -> None:
        self.model, self._mixed, self.independent = model, mixed, independent

    @property
    def mixed(self) -> MixedResults:
        """The fit itself, with everything that this package computes.

        Raises
        ------
        OptionError
            A component has several columns in a row, whose common variance no formula with bars can say.
        """
        if self.model.structure.is_tied:
            raise OptionError(
                "A variance component of this model has several columns in one row, with a common variance: results of "
                "this package know a variance for each. Use those under statsmodels' names, or fit `mixed` with a "
                "component for each column."
            )
        return self._mixed

    @cached_property
    def random_effects(self) -> dict[Any, pd.Series]:
        """Conditional modes, group -> Series over the group's effects and its levels of each component."""
        return conditional_means(self._mixed, self.model.structure, self.n_re_terms)

    @cached_property
    def random_effects_cov(self) -> dict[Any, pd.DataFrame]:
        """Conditional covariances of `random_effects`, group -> DataFrame; parameters taken as known."""
        return conditional_covariances(self._mixed, self.model.structure, self.n_re_terms)

    @property
    def llf(self) -> float:
        """Log-likelihood; the restricted one after REML."""
        return self._mixed.llf

    @property
    def aic(self) -> float:
        """Akaike's criterion, after REML too (statsmodels: NaN)."""
        return self._mixed.aic

    @property
    def bic(self) -> float:
        """Bayesian information criterion, after REML too (statsmodels: NaN)."""
        return self._mixed.bic

    @property
    def fittedvalues(self) -> Any:
        """X beta + Z b (n,)."""
        fitted = self._mixed.fittedvalues
        return fitted if self.model.labelled else fitted.to_numpy()

    @property
    def resid(self) -> Any:
        """Response less `fittedvalues` (n,)."""
        resid = self._mixed.resid
        return resid if self.model.labelled else resid.to_numpy()

    def predict(self, exog: Any = None, transform: bool = True) -> Any:
        """Predictions from the fixed effects alone.

        Parameters
        ----------
        exog : data frame or array_like (rows, k_fe), optional
            Data with the columns of the formula, or a design (for a model from arrays, or with ``transform=False``).
            The data of the fit by default.
        transform : bool
            Whether the formula makes the design from `exog`.

        Returns
        -------
        Series for a data frame, else ndarray
            Rows as in `exog`; NaN where a variable is missing.
        """
        design = self.model.linear.design
        if exog is None:
            fixed = self.model.predict(self.fe_params)
            return fixed if design.offset is None else fixed + design.offset
        if transform and design.encoding is not None:
            new = design.matrices(exog, groups=[])
            fixed = new.X[:, self._mixed.model.problem.basis.kept] @ self._mixed.fit.beta
            return pd.Series(fixed if new.offset is None else fixed + new.offset, index=new.index)
        return self.model.predict(self.fe_params, exog)

    def profile_re(
        self,
        re_ix: int | str,
        vtype: str,
        num_low: int = 5,
        dist_low: float = 1.0,
        num_high: int = 5,
        dist_high: float = 1.0,
        **fit_kwargs: Any,
    ) -> np.ndarray:
        """Profile the likelihood of one variance: hold it over scale, optimise the rest.

        Parameters
        ----------
        re_ix : int or str
            Position or name of the random effect, or name of the component.
        vtype : {"re", "vc"}
            Which of the two.
        num_low, num_high : int
            Points below and above the estimate.
        dist_low, dist_high : float
            How far they reach, in y^2.
        **fit_kwargs
            As of `MixedLM.fit`: accepted, not used.

        Returns
        -------
        ndarray, shape (num_low + 1 + num_high, 2)
            Variance (held over scale, times the scale there) and log-likelihood.

        Raises
        ------
        OptionError
            There is no such variance, or `dist_low` reaches below zero.
        """
        check_fit(None, (), fit_kwargs)
        return profile_variance(self, re_ix, vtype, (num_low, dist_low), (num_high, dist_high))

    @property
    def hist(self) -> list[dict[str, Any]]:
        """How the search went, as statsmodels keeps it with ``full_output=True``."""
        search = self._mixed.fit.search
        return [
            {
                "fopt": -self.llf,
                "iterations": search.nit,
                "fcalls": search.nfev,
                "converged": self.converged,
                "allvecs": list(search.path),
            }
        ]

    @property
    def converged(self) -> bool:
        """Whether the search ended at an optimum, inside or on the boundary."""
        return self._mixed.converged

    @property
    def reml(self) -> bool:
        """Whether the fit is by restricted maximum likelihood."""
        return self._mixed.reml

    @property
    def method(self) -> str:
        """``"REML"`` or ``"ML"``."""
        return self._mixed.method

    @property
    def nobs(self) -> int:
        """Number of observations."""
        return self.model.nobs

    @property
    def df_resid(self) -> int:
        """Observations less fixed effects."""
        return self.nobs - self.k_fe

    @property
    def k_fe(self) -> int:
        """Number of fixed effects."""
        return self.model.k_fe

    @property
    def k_re(self) -> int:
        """Number of random effects of a group, components apart."""
        return self.model.k_re

    @property
    def k_re2(self) -> int:
        """Number of parameters of cov_re."""
        return self.model.k_re2

    @property
    def k_vc(self) -> int:
        """Number of variance components."""
        return self.model.k_vc

    def summary(
        self,
        yname: str | None = None,
        xname_fe: Sequence[str] | None = None,
        xname_re: Sequence[str] | None = None,
        title: str | None = None,
        alpha: float = 0.05,
    ) -> MixedLMSummary:
        """Summary in statsmodels' layout; standard errors of variances are `bse_re`.

        Parameters
        ----------
        yname, title : str, optional
            Name of the response, and title.
        xname_fe, xname_re : list of str, optional
            Names of the fixed effects, and of the covariance parameters.
        alpha : float
            One less the level of the confidence intervals.
        """
        return make_summary(self, yname, xname_fe, xname_re, title, alpha)

    def __repr__(self) -> str:
        """Show formula and verdict."""
        verdict = self._mixed.certificate.verdict
        return f"<MixedLMResults: {self.model.linear.formula}, {self.method}, {self.nobs} observations, {verdict}>"

    def _repr_html_(self) -> str:
        return self.summary().as_html()
