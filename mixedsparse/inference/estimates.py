"""Linear functions of beta with labels: what tables of marginal means and of contrasts have in common."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.choices import Adjust
from mixedsparse.ground.errors import DroppedColumnsWarning
from mixedsparse.ground.foreign import Answers
from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.estimability import estimable, null_space

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.contrasts import Contrasts
    from mixedsparse.inference.response_scale import ResponseScale

__all__ = ["Estimates", "half_widths"]

_DDF = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger", "normal": "infinite (normal)"}


@dataclass(frozen=True, eq=False, repr=False)
class Estimates(Answers):
    """Linear functions of beta, one per row of `frame`.

    Attributes
    ----------
    fitted : Fitted
    frame : DataFrame, r rows
        Labels of the rows.
    L : ndarray, shape (r, P)
        Coefficients, for all columns of X.
    offset : ndarray, shape (r,)
        Known part of each estimate.
    by : tuple of str
        Columns of `frame` whose combinations are families of their own.
    ddf : str
    level : float
        Of the intervals.
    factors : tuple of str
        Columns of `frame` that tell the rows of one family apart.
    fixed : tuple of str
        Factors and `by` factors that stand at one value.
    remarks : tuple of str
        What a reader must know of how the linear functions were made.
    averaged : str
        Over what they are averages, as a sentence.
    scale : ResponseScale or None
        Of the table, where it is not that of the linear functions.
    """

    fitted: Fitted
    frame: pd.DataFrame
    L: np.ndarray
    offset: np.ndarray
    by: tuple[str, ...]
    ddf: str
    level: float
    factors: tuple[str, ...] = field(default=(), kw_only=True)
    fixed: tuple[str, ...] = field(default=(), kw_only=True)
    remarks: tuple[str, ...] = field(default=(), kw_only=True)
    averaged: str = field(default="", kw_only=True)
    scale: ResponseScale | None = field(default=None, kw_only=True)

    @cached_property
    def _tests(self) -> pd.DataFrame:
        """Estimate, SE, df, t and p of each row; NaN where the data do not determine it."""
        known = estimable(self.L, null_space(self.fitted))
        constant = ~self.L.any(axis=1)
        rows = np.flatnonzero(known & ~constant)
        kept = self.fitted.problem.basis.kept
        found = contrast_tests(self.fitted, self.L[np.ix_(rows, kept)], self.ddf, -self.offset[rows])
        out = pd.DataFrame(np.nan, index=self.frame.index, columns=["estimate", "SE", "df", "t", "p"])
        out.loc[constant, ["estimate", "SE"]] = 0.0
        out.iloc[rows] = np.column_stack([found.estimate, found.se, found.df, found.t, found.p])
        out["estimate"] += self.offset
        return out

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the table must know: scale, averages, degrees of freedom, level, adjustment, losses."""
        degrees = f"Degrees of freedom: {_DDF[self.ddf]}."
        return (*filter(None, (*self.remarks, self.averaged, self._scale, degrees, self._level)), *self._losses)

    @property
    def _scale(self) -> str:
        """Scale of the estimates as a sentence; empty where it is that of the response."""
        raise NotImplementedError

    @property
    def _level(self) -> str:
        """Level of the intervals, and how they and the tests are adjusted."""
        raise NotImplementedError

    @cached_property
    def _losses(self) -> tuple[str, ...]:
        lost = self._tests["estimate"].isna()
        if not lost.any():
            return ()
        dropped = ", ".join(map(repr, self.fitted.dropped_columns))
        rows = "; ".join(" ".join(map(str, row)) for row in self.frame[lost].to_numpy().tolist()[:5])
        return (
            f"{int(lost.sum())} of {len(lost)} rows are NaN ({rows}{'; ...' if lost.sum() > 5 else ''}): the data do "
            "not determine them, because columns of X depend on each other, as with combinations of levels that do not "
            f"occur (dropped: {dropped}).",
        )

    def _warn(self) -> None:
        for note in self._losses:
            warnings.warn(note, DroppedColumnsWarning, stacklevel=user_level())

    def _correlation(self, rows: np.ndarray) -> np.ndarray:
        kept = self.fitted.problem.basis.kept
        L = self.L[np.ix_(rows, kept)]
        cov = L @ denominator(self.fitted, self.ddf).cov @ L.T
        sd = np.sqrt(np.diagonal(cov))
        with np.errstate(invalid="ignore"):
            return np.asarray(cov / np.outer(sd, sd))

    def __repr__(self) -> str:
        return "\n".join([self.table.to_string(), *self.notes])

    def _repr_html_(self) -> str:
        return "".join([self.table.to_html(), *(f"<p>{note}</p>" for note in self.notes)])

    @property
    def table(self) -> pd.DataFrame:
        """The rows as a table."""
        raise NotImplementedError

    def contrast(
        self,
        method: Any = "pairwise",
        adjust: Adjust | None = None,
        by: str | Sequence[str] | None = None,
        ref: Hashable | None = None,
        *,
        interaction: Any = False,
        simple: str | Sequence[str] | None = None,
    ) -> Contrasts:
        """Contrasts among the rows, within each combination of the `by` factors.

        Parameters
        ----------
        method : str, dict, DataFrame, sequence or function
            ``"pairwise"``, ``"revpairwise"``, ``"trt.vs.ctrl"`` (against the first mean), ``"trt.vs.ctrlk"`` (against
            the last), ``"consec"`` (each against the one before), ``"mean_chg"`` (mean of those after less mean of
            those before), ``"eff"`` (deviations from the average), ``"del.eff"`` (from the average of the others),
            ``"poly"``; or ``{"name": [one number per mean]}``, or ``{"name": {"label": number}}``; a DataFrame with a
            column per contrast, its index the labels of the means; numbers alone for one contrast; or a function of the
            list of labels that returns one of these.
        adjust : {"tukey", "dunnettx", "mvt", "sidak", "bonferroni", "holm", "fdr", "none"}, optional
            Of p-values and intervals within each family; as in emmeans ``"tukey"`` for pairwise contrasts,
            ``"dunnettx"`` against a control, ``"mvt"`` for ``"consec"`` and ``"mean_chg"``, ``"fdr"`` for ``"eff"``
            and ``"del.eff"``, else, and for interaction contrasts, ``"none"``.
            Tukey's method holds for pairwise contrasts only: others get Sidak's.
        by : str or sequence of str, optional
            Other `by` factors than those of the means; an empty sequence for none.
        ref : int or str, optional
            Control of ``"trt.vs.ctrl"``: position or label of a mean.
        interaction : bool, or method, or sequence or dict of them
            Contrasts of contrasts: products of contrasts of each factor. True takes `method` for all of them; a method
            serves for all, a sequence goes factor by factor, a dict by their names.
        simple : str or sequence of str, optional
            Factors to compare, within each combination of all others: what ``by=`` the others says.

        Returns
        -------
        Contrasts
            Contrasts again have this method: ``.contrast("pairwise", by="contrast")`` compares the same contrast
            between the former `by` factors.

        Raises
        ------
        OptionError
            The method, the adjustment or a label is not known, or a contrast has another length.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("score ~ Machine + (1 | Worker/Machine)", ms.datasets.load("Machines"))
        >>> fit.emmeans("Machine").contrast("pairwise", adjust="holm").table[["contrast", "estimate", "p"]].round(4)
          contrast  estimate       p
        0    A - B   -7.9667  0.0088
        1    A - C  -13.9167  0.0002
        2    B - C   -5.9500  0.0211
        >>> cake = ms.lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", ms.datasets.load("cake"))
        >>> means = cake.emmeans(["recipe", "temperature"])
        >>> means.contrast(interaction={"recipe": "consec", "temperature": "poly"}).table.iloc[:2, :4].round(2)
          recipe_consec temperature_poly  estimate     SE
        0         B - A           linear      3.80  13.82
        1         C - B           linear     -3.07  13.82
        """
        from mixedsparse.inference.contrasts import contrast

        return contrast(self, method, adjust, by, ref, interaction, simple)


def half_widths(se: pd.Series, half: np.ndarray) -> pd.Series:
    """Half-width of the intervals; what is known exactly has none, whatever its degrees of freedom."""
    return (se * half).where(se != 0.0, 0.0)
