"""What results of linear and of generalized models say in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import table_property
from mixedsparse.api.results.variances import VariancesMixin
from mixedsparse.ground.choices import VifBy
from mixedsparse.inference.labels import per_coefficient, per_row, residual_quantiles

if TYPE_CHECKING:
    from mixedsparse.inference.parsimony import Parsimony
    from mixedsparse.inference.pca import RandomPCA

__all__ = ["SharedMixin"]


class SharedMixin(VariancesMixin):
    """Names, covariances and diagnostics that do not depend on the kind of the model."""

    # Coefficients.

    @table_property
    def params(self) -> pd.Series:
        """Coefficients beta of the fixed effects; columns dropped for rank are left out.

        In y per x, or on the scale of the linear predictor of a generalized model. statsmodels' MixedLM appends
        variance parameters to its `params`; here they are in `vcomp` and `cov_re`.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.params.round(3).to_dict()
        {'Intercept': 251.405, 'Days': 10.467}
        """
        return per_coefficient(self._fitted, self.fit.beta, "params")

    @property
    def fe_params(self) -> pd.Series:
        """The same as `params`."""
        return self.params

    def fixef(self) -> pd.Series:
        """Return `params` under lme4's name."""
        return self.params

    @table_property
    def bse(self) -> pd.Series:
        """SE of `params`, from `cov_params`; NaN where it hangs on variances that are not identified.

        statsmodels' MixedLM inverts the joint Hessian of all parameters instead, and differs by about 1e-3.
        """
        return per_coefficient(self._fitted, np.sqrt(np.diagonal(self._fitted.cov_beta)), "bse")

    @property
    def bse_fe(self) -> pd.Series:
        """The same as `bse`."""
        return self.bse

    @property
    def dropped_columns(self) -> list[str]:
        """Columns of X left out because they are linear combinations of earlier ones, in formula order."""
        return list(self._fitted.dropped_columns)

    # How the search ended.

    @property
    def converged(self) -> bool:
        """Whether the search ended at an optimum, inside or on the boundary, identified or not (see `certificate`)."""
        return self._fitted.converged

    @property
    def singular(self) -> bool:
        """Whether some direction of the random effects has no variance; `certificate` names it."""
        return self._fitted.singular

    # Rows.

    @table_property
    def resid_scaled(self) -> pd.Series:
        """Residuals over their standard deviation given the modes, no units (lme4: Pearson, scaled)."""
        return per_row(self._fitted, self._fitted.scaled_residuals, "resid_scaled")

    def resid_quantiles(self) -> pd.Series:
        """Minimum, quartiles and maximum of `resid_scaled`."""
        return residual_quantiles(self._fitted)

    # Diagnostics of both parts.

    def vif(self, by: VifBy = "term") -> pd.DataFrame:
        """Variance inflation of the fixed effects by collinearity, from `cov_params`.

        Parameters
        ----------
        by : {"term", "coefficient"}
            Factors and polynomials have several coefficients, which only together do not depend on their coding.

        Returns
        -------
        DataFrame
            ``GVIF``: generalised variance inflation, det(R_11) det(R_22) / det(R) of the correlations of the estimates,
            intercept left out, no units; ``df``: coefficients of the term; ``inflation``: GVIF^(1 / (2 df)), the
            factor on a standard error.

        Raises
        ------
        DataError
            There is only an intercept.

        References
        ----------
        Fox & Monette (1992), Journal of the American Statistical Association 87, 178-183.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("distance ~ age * Sex + (1 | Subject)", ms.datasets.load("Orthodont"))
        >>> fit.vif().round(2)
                 GVIF  df  inflation
        age      1.69   1       1.30
        Sex      4.08   1       2.02
        age:Sex  4.76   1       2.18
        """
        from mixedsparse.diagnostics.vif import vif

        return vif(self._fitted, by)

    def rePCA(self, corr: bool = False) -> RandomPCA:
        """Principal components of the random effects of each grouping factor (lme4: ``rePCA``).

        A component without variance means that the random part has more parameters than the data support.

        Parameters
        ----------
        corr : bool
            Decompose the correlation matrix in place of the covariance matrix, which depends on the units of the
            effects (MixedModels.jl's choice).

        Returns
        -------
        RandomPCA
            ``pca["Subject"]`` has ``sdev`` (relative to sigma, or on the scale of the linear predictor of a generalized
            model), ``prop_var`` and ``loadings``; ``pca.table`` has one row per component, ``pca.dimensions`` counts
            those that are supported.

        References
        ----------
        Bates, Kliegl, Vasishth & Baayen (2015), Parsimonious mixed models, arXiv:1506.04967.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.rePCA().table.round(3)
             group component   sdev  prop_var  cumulative
        0  Subject       PC1  0.967     0.946       0.946
        1  Subject       PC2  0.231     0.054       1.000
        """
        from mixedsparse.inference.pca import random_pca

        self._fitted.needs_optimum("rePCA")
        return random_pca(self._fitted, corr)

    def parsimony(
        self,
        *,
        alpha: float = 0.2,
        keep_intercepts: bool = True,
        progress: bool | Callable[[dict[str, Any]], None] | None = None,
    ) -> Parsimony:
        """Search for a parsimonious random part from this model on: see `mixedsparse.parsimony`."""
        from mixedsparse.inference.parsimony import search

        return search(self._fitted, alpha, keep_intercepts, progress, self._wrap)

    def get(self, name: str) -> Any:
        """Return a quantity of the model y = X beta + Z b + e, b = Lam u, by name (lme4: ``getME``).

        Parameters
        ----------
        name : {"y", "X", "Z", "Lam", "b", "beta", "sigma", "theta", "u"}
            ``X`` (n, p): columns that were kept. ``Z`` (n, q) and ``Lam`` (q, q): sparse. ``b``, ``u`` (q,): modes of
            the random effects and of the spherical ones. Random effects stand term by term in theta order, level by
            level within a term, as in lme4. Neither weights nor offset are multiplied or added in. In a generalized
            model eta = X beta + Z b, and there is no ``sigma``; ``y`` counts the successes of a binomial response.

        Raises
        ------
        OptionError
            `name` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.get("Z").shape
        (180, 36)
        """
        from mixedsparse.inference.matrices import matrix

        return matrix(self._fitted, name)
