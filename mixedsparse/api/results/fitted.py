"""Row by row: fitted values, residuals, and the covariance that the model implies."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.inference.labels import per_row

__all__ = ["FittedMixin"]


class FittedMixin(ResultsBase):
    """Observations' side of `MixedResults`; every Series is on the index of the data, dropped rows left out."""

    @table_property
    def fittedvalues(self) -> pd.Series:
        """Conditional fitted values X beta + Z b + offset, in units of y."""
        return per_row(self._fitted, self._fitted.values, "fittedvalues")

    @table_property
    def resid(self) -> pd.Series:
        """Response residuals y - fittedvalues, in units of y; not multiplied by weights."""
        return per_row(self._fitted, self._fitted.residuals, "resid")

    def marginal_cov(self, rows: Any) -> pd.DataFrame:
        """Covariance of y that the model implies for the chosen rows: sigma^2 (W^-1 + Z Lambda Lambda'Z').

        Parameters
        ----------
        rows : label, sequence of labels, boolean mask (n,), or slice of positions
            Labels are those of the data's index. Whole numbers are positions among the fitted rows where the
            index holds no numbers.

        Returns
        -------
        DataFrame (r, r)
            In y^2, labelled by the rows. Dense: r^2 numbers.

        Raises
        ------
        DataError
            A row is not among the fitted ones, or the mask has another length.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (1 | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.marginal_cov([0, 1, 10]).round(0).to_numpy().tolist()
        [[2339.0, 1378.0, 0.0], [1378.0, 2339.0, 0.0], [0.0, 0.0, 2339.0]]
        """
        from mixedsparse.inference.implied import marginal_cov

        return marginal_cov(self._fitted, rows)
