"""Tests of the fixed effects under statsmodels' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from mixedsparse.compat.mixedlm import MixedLM
    from mixedsparse.results import MixedResults

__all__ = ["TestingMixin"]


class TestingMixin:
    """Tests' side of `MixedLMResults`."""

    model: MixedLM
    mixed: MixedResults
    params: Any

    def t_test(self, r_matrix: Any, ddf: str = "satterthwaite") -> pd.DataFrame:
        """Test linear functions of the fixed effects, each on its own.

        Parameters
        ----------
        r_matrix : array_like of shape (k_fe,) or (r, k_fe), dict, str, or list of dict or str
            Weights in the order of `fe_params`, or anything else that ``mixed.t_test`` reads.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            Degrees of freedom; statsmodels: "normal".

        Returns
        -------
        DataFrame
            A row per function: ``Estimate``, ``SE``, ``df``, ``t``, ``p``.

        Raises
        ------
        DataError, FormulaError
            See ``mixed.t_test``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.mixedlm("Weight ~ Time", ms.datasets.load("dietox"), groups="Pig").fit()
        >>> fit.t_test([[1, 10]])[["Estimate", "SE"]].round(3).to_numpy().tolist()
        [[85.149, 0.767]]
        """
        return self.mixed.t_test(self._weights(r_matrix), ddf)

    def wald_test(self, r_matrix: Any, ddf: str = "satterthwaite") -> pd.DataFrame:
        """Test linear functions of the fixed effects all together, by an F statistic.

        Parameters
        ----------
        r_matrix, ddf
            See `t_test`; with weights for all of `params`, as statsmodels has them, those of variances have to be zero.

        Returns
        -------
        DataFrame
            One row: ``NumDF``, ``DenDF``, ``F``, ``p``.

        Raises
        ------
        DataError, FormulaError
            See ``mixed.wald_test``.
        """
        return self.mixed.wald_test(self._weights(r_matrix), ddf)

    def _weights(self, r_matrix: Any) -> Any:
        """Numbers in the order of `mixed.params`; names, and what cannot be read, as they are."""
        order = self.model.structure.fe_order
        k = len(order)
        try:
            weights = np.atleast_2d(np.asarray(r_matrix, dtype=float))
        except (TypeError, ValueError):
            return r_matrix
        if weights.shape[1:] == (len(self.params),) and not weights[:, k:].any():
            weights = weights[:, :k]
        if weights.shape[1:] != (k,):
            return r_matrix
        ordered = np.empty_like(weights)
        ordered[:, order] = weights
        return pd.DataFrame(ordered, index=r_matrix.index) if isinstance(r_matrix, pd.DataFrame) else ordered
