"""Parameters in statsmodels' shapes: fixed effects, covariance parameters over scale, and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from mixedsparse.compat.errors_of import CovarianceErrors, covariance_errors, relative_parameters
from mixedsparse.compat.specs import MixedLMParams
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults
    from mixedsparse.compat.facts import FactsMixin

__all__ = ["EstimatesMixin"]


class EstimatesMixin(Answers):
    """Parameters' side of `MixedLMResults`."""

    model: FactsMixin
    _mixed: MixedResults
    independent: bool

    def _vector(self, values: np.ndarray, names: Sequence[str]) -> Any:
        return pd.Series(values, index=list(names)) if self.model.labelled else np.array(values)

    def _matrix(self, values: np.ndarray, names: Sequence[str]) -> Any:
        return pd.DataFrame(values, list(names), list(names)) if self.model.labelled else np.array(values)

    @property
    def n_re_terms(self) -> int:
        """Number of terms of `mixed.model` that hold the groups' random effects."""
        return self.model.k_re if self.independent else min(self.model.k_re, 1)

    @property
    def _names(self) -> list[str]:
        return [*self.model.exog_names, *self.model.structure.parameter_names]

    @property
    def fe_params(self) -> Any:
        """Fixed effects (k_fe,)."""
        return self._vector(self._mixed.fit.beta[self.model.structure.fe_order], self.model.exog_names)

    @cached_property
    def relative_covariances(self) -> np.ndarray:
        """Lower triangle of cov_re, row by row, and variance components, over scale."""
        return relative_parameters(self._mixed, self.model.structure.owners, self.n_re_terms)

    @property
    def params(self) -> Any:
        """Fixed effects, then `relative_covariances`."""
        return self._vector(np.concatenate([np.asarray(self.fe_params), self.relative_covariances]), self._names)

    @cached_property
    def _errors(self) -> CovarianceErrors:
        structure = self.model.structure
        shared = structure.shared(self._mixed.model.problem, self.n_re_terms) if structure.is_tied else None
        return covariance_errors(self._mixed, structure.owners, self.n_re_terms, shared)

    @property
    def params_object(self) -> MixedLMParams:
        """The parameters by kind, covariances over scale."""
        vcomp = self.relative_covariances[self.model.k_re2 :]
        return MixedLMParams.from_components(
            np.asarray(self.fe_params), cov_re=np.asarray(self.cov_re_unscaled), vcomp=vcomp
        )

    def cov_params(self, r_matrix: Any = None, column: Any = None) -> Any:
        """Covariance of `params`: sigma^2 (X'V_0^-1 X)^-1 and, by the delta method, that of covariance parameters.

        Zeros between the two. NaN where a variance is estimated as zero.

        Parameters
        ----------
        r_matrix : array_like, shape (r, parameters), optional
            Weights of linear functions, whose covariance is wanted instead.
        column : int or list of int, optional
            Parameters that are wanted, by place.
        """
        if r_matrix is not None or column is not None:
            every = np.asarray(self.cov_params())
            if column is not None:
                return every[column, column] if np.ndim(column) == 0 else every[np.ix_(column, column)]
            used = np.asarray(r_matrix, dtype=float)
            some = np.atleast_2d(used).any(axis=0)
            return used[..., some] @ every[np.ix_(some, some)] @ used[..., some].T
        order = self.model.structure.fe_order
        k = len(order)
        out = np.zeros((len(self._names),) * 2)
        out[:k, :k] = self._mixed._fitted.cov_beta[np.ix_(order, order)]
        out[k:, k:] = self._errors.relative
        return self._matrix(out, self._names)

    @property
    def bse_fe(self) -> Any:
        """Standard errors of the fixed effects, as in `mixed`; statsmodels' joint Hessian gives 1e-3 other ones."""
        cov = self._mixed._fitted.cov_beta
        return self._vector(np.sqrt(np.diagonal(cov))[self.model.structure.fe_order], self.model.exog_names)

    @property
    def bse_re(self) -> Any:
        """Standard errors of `cov_re` (lower triangle) and `vcomp`, in y^2; NaN where a variance is zero.

        statsmodels multiplies those of the relative parameters by sqrt(scale), which has other units. Variances are
        skewed: profile them rather than adding two standard errors.
        """
        return self._vector(self._errors.absolute, self.model.structure.parameter_names)

    @property
    def bse(self) -> Any:
        """Standard errors of `params`."""
        return self._vector(np.sqrt(np.diagonal(self.cov_params())), self._names)

    @property
    def tvalues(self) -> Any:
        """`params` / `bse`; NaN for a parameter without error."""
        error = np.asarray(self.bse)
        return self._vector(np.asarray(self.params) / np.where(error > 0, error, np.nan), self._names)

    @property
    def pvalues(self) -> Any:
        """Two-sided, normal reference."""
        return self._vector(2.0 * ndtr(-np.abs(np.asarray(self.tvalues))), self._names)

    def conf_int(self, alpha: float = 0.05) -> Any:
        """Compute normal confidence intervals of `params`, columns 0 and 1."""
        params, reach = np.asarray(self.params), -ndtri(alpha / 2) * np.asarray(self.bse)
        bounds = np.column_stack([params - reach, params + reach])
        return pd.DataFrame(bounds, index=self._names) if self.model.labelled else bounds

    @property
    def cov_re_unscaled(self) -> Any:
        """`cov_re` / `scale`."""
        k = self.model.k_re
        out = np.zeros((k, k))
        out[np.tril_indices(k)] = self.relative_covariances[: self.model.k_re2]
        return self._matrix(out + np.tril(out, -1).T, self.model.structure.re_names)

    @property
    def cov_re(self) -> Any:
        """Covariance (k_re, k_re) of the groups' random effects, in y^2."""
        return self.scale * self.cov_re_unscaled

    @property
    def vcomp(self) -> np.ndarray:
        """Variance components (k_vc,), in y^2, by name."""
        return self.scale * self.relative_covariances[self.model.k_re2 :]

    @property
    def scale(self) -> float:
        """Residual variance, in y^2."""
        return self._mixed.scale
