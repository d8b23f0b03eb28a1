"""Linear functions of beta with labels: what tables of marginal means and of contrasts have in common."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import DroppedColumnsWarning
from mixedsparse.ground.foreign import Answers
from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.estimability import estimable, null_space

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.response_scale import ResponseScale

__all__ = ["Estimates", "half_widths"]

_DDF = {"satterthwaite": "Satterthwaite", "normal": "infinite (normal)"}


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
        # Kenward-Roger's method may say by which information.
        degrees = f"Degrees of freedom: {_DDF.get(self.ddf, self.ddf.replace('kenward-roger', 'Kenward-Roger'))}."
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


def half_widths(se: pd.Series, half: np.ndarray) -> pd.Series:
    """Half-width of the intervals; what is known exactly has none, whatever its degrees of freedom."""
    return (se * half).where(se != 0.0, 0.0)
