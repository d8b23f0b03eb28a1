"""Row by row: fitted values, residuals, and the covariance that the model implies."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import ResultsBase, read_only, table_property
from mixedsparse.core.choose.memory import check_memory
from mixedsparse.data.formula.alignment import aligned
from mixedsparse.ground.errors import DataError

__all__ = ["FittedMixin"]


class FittedMixin(ResultsBase):
    """Observations' side of `MixedResults`; every Series is on the index of the data, dropped rows left out."""

    def _per_row(self, values: np.ndarray, name: str) -> pd.Series:
        return pd.Series(read_only(values), index=self.model.design.index, name=name)

    @cached_property
    def _fitted(self) -> np.ndarray:
        design = self.model.design
        out = design.X[:, self._problem.basis.kept] @ self.fit.beta
        for term, modes in zip(self._problem.terms, self.fit.modes, strict=True):
            out += np.einsum("ij,ij->i", term.z, modes[term.codes])
        return out if design.offset is None else out + design.offset

    @table_property
    def fittedvalues(self) -> pd.Series:
        """Conditional fitted values X beta + Z b + offset, in units of y."""
        return self._per_row(self._fitted, "fittedvalues")

    @table_property
    def resid(self) -> pd.Series:
        """Response residuals y - fittedvalues, in units of y; not multiplied by weights."""
        return self._per_row(self.model.design.y - self._fitted, "resid")

    @table_property
    def resid_scaled(self) -> pd.Series:
        """Residuals over their standard deviation sigma / sqrt(weight), no units (lme4: Pearson, scaled)."""
        root = self._problem.root_weights
        scaled = (self.model.design.y - self._fitted) / np.sqrt(self.fit.sigma2)
        return self._per_row(scaled if root is None else scaled * root, "resid_scaled")

    def resid_quantiles(self) -> pd.Series:
        """Minimum, quartiles and maximum of `resid_scaled`."""
        plain = self.model.design.plain
        values = None if plain is None else plain.quantiles
        if values is None:
            values = np.quantile(self.resid_scaled.to_numpy(), [0.0, 0.25, 0.5, 0.75, 1.0])
        return pd.Series(values, index=["Min", "1Q", "Median", "3Q", "Max"], name="resid_scaled")

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
        index = self.model.design.index
        at = _positions(index, rows)
        # The matrix, and the products of two terms.
        check_memory(24.0 * len(at) ** 2, f"The covariance of {len(at):,} rows", "choose fewer rows")
        weights = self._weights
        cov = np.diag(np.ones(len(at)) if weights is None else 1.0 / weights[at])
        for term, lam in zip(self._problem.terms, self.fit.templates, strict=True):
            half = term.z[at] @ lam
            codes = term.codes[at]
            cov += np.where(codes[:, None] == codes, half @ half.T, 0.0)
        return pd.DataFrame(self.fit.sigma2 * cov, index=index[at], columns=index[at])


def _positions(index: pd.Index, rows: Any) -> np.ndarray:
    """Positions of `rows` in the index of the fitted rows."""
    if isinstance(rows, slice):
        return np.arange(len(index))[rows]
    one_of_many = isinstance(index, pd.MultiIndex) and isinstance(rows, tuple)
    if isinstance(rows, np.ndarray) and rows.ndim == 0:
        rows = rows.item()
    if not isinstance(rows, Collection) or isinstance(rows, str | bytes) or one_of_many:
        rows = [rows]
    if isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows.dtype):
        rows = aligned(rows, index, "the mask")
    wanted = rows if isinstance(rows, pd.Index) else pd.Index(list(rows))
    if wanted.dtype == bool and index.dtype != bool:
        if len(wanted) != len(index):
            raise DataError(f"The mask has {len(wanted)} entries, but {len(index)} rows were fitted; give one per row.")
        return np.flatnonzero(wanted)
    if pd.api.types.is_integer_dtype(wanted.dtype) and not pd.api.types.is_any_real_numeric_dtype(index.dtype):
        at = np.asarray(wanted)
        outside = wanted[(at < -len(index)) | (at >= len(index))]
        at = at % len(index)
    else:
        at = index.get_indexer_for(wanted)
        outside = wanted[~wanted.isin(index)]
    if len(outside):
        raise DataError(
            f"Row {outside.tolist()[0]!r} is not among the {len(index)} fitted rows; rows with missing values "
            "are left out. Use labels of fittedvalues.index."
        )
    return at
