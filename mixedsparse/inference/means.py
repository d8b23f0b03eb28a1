"""Estimated marginal means and trends: linear functions of beta with labels."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mixedsparse.inference import adjust as adjustment
from mixedsparse.inference.contrasts import Comparable
from mixedsparse.inference.estimates import half_widths
from mixedsparse.inference.response_scale import modelled_scale

__all__ = ["MarginalMeans"]


@dataclass(frozen=True, eq=False, repr=False)
class MarginalMeans(Comparable):
    """Marginal means, or trends, with a table and contrasts.

    Attributes
    ----------
    factors : tuple of str
        Columns of `frame` that tell the means of one family apart.
    estimand : str
        ``"emmean"`` or ``"trend"``.
    remarks : tuple of str
        Which factors are nested in others.
    fixed : tuple of str
        Factors and `by` factors that stand at one value.
    notes : tuple of str
        What a reader of the table must know: `remarks`, what the means are averaged over and whether it interacts with
        the factors asked for, scale, degrees of freedom, level, and which means the data do not determine, and why.
    """

    estimand: str = "emmean"

    @property
    def table(self) -> pd.DataFrame:
        """Factor columns, then the estimate (``emmean`` or ``trend``), ``SE``, ``df``, ``lower``, ``upper``."""
        tests = self._tests
        half = half_widths(tests["SE"], adjustment.t_quantile(tests["df"].to_numpy(), self.level))
        table = self.frame.assign(
            **{self.estimand: tests["estimate"], "SE": tests["SE"], "df": tests["df"]},
            lower=tests["estimate"] - half,
            upper=tests["estimate"] + half,
        )
        return table if self.scale is None else self.scale.means(table, self.estimand)

    @property
    def _scale(self) -> str:
        scale = modelled_scale(self.fitted)
        if not scale:
            return ""
        return f"Estimates are on the scale of {scale}." if self.scale is None else f"Limits are those of {scale}."

    @property
    def _level(self) -> str:
        return f"Intervals of level {self.level:g}."
