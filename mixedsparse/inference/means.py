"""Estimated marginal means and trends: linear functions of beta with labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.choices import Adjust
from mixedsparse.inference import adjust as adjustment
from mixedsparse.inference.contrasts import Comparable
from mixedsparse.inference.drawing import drawn
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

    def plot(self, comparisons: bool = False, *, adjust: Adjust | None = None, ax: Any = None) -> np.ndarray:
        """Draw the means with their intervals, a row for each and a panel for each combination of the `by` factors.

        Parameters
        ----------
        comparisons : bool
            Add arrows: two means differ, at the level of the intervals, where their arrows do not overlap. Intervals of
            means do not tell that. The legend names the pairs, if any, of which no arrows could tell the truth.
        adjust : str, optional
            Of the pairwise comparisons; see `contrast`.
        ax : Axes or array of Axes, optional

        Returns
        -------
        ndarray of matplotlib Axes
            One per panel; ``axes[0].figure`` is the figure.
        """
        return drawn("means", self, comparisons, adjust, ax)

    @property
    def _scale(self) -> str:
        scale = modelled_scale(self.fitted)
        if not scale:
            return ""
        return f"Estimates are on the scale of {scale}." if self.scale is None else f"Limits are those of {scale}."

    @property
    def _level(self) -> str:
        return f"Intervals of level {self.level:g}."
