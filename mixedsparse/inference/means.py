"""Estimated marginal means and contrasts among them: linear functions of beta with labels."""

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
from mixedsparse.ground.errors import DroppedColumnsWarning, EmptyTableWarning, OptionError
from mixedsparse.ground.foreign import Answers
from mixedsparse.inference import adjust as adjustment
from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.contrasts_of_means import by_groups, coefficients, labels
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.estimability import estimable, null_space

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.response_scale import ResponseScale

__all__ = ["Contrasts", "MarginalMeans"]


@dataclass(frozen=True, eq=False, repr=False)
class _Estimates(Answers):
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
    remarks: tuple[str, ...] = field(default=(), kw_only=True)
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
        """What a reader of the table must know."""
        return (*self.remarks, *self._losses)

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


@dataclass(frozen=True, eq=False, repr=False)
class MarginalMeans(_Estimates):
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
        What a reader of the table must know: `remarks`, and which means the data do not determine, and why.
    """

    factors: tuple[str, ...] = ()
    estimand: str = "emmean"
    fixed: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """Factor columns, then the estimate (``emmean`` or ``trend``), ``SE``, ``df``, ``lower``, ``upper``."""
        tests = self._tests
        half = _width(tests["SE"], adjustment.t_quantile(tests["df"].to_numpy(), self.level))
        table = self.frame.assign(
            **{self.estimand: tests["estimate"], "SE": tests["SE"], "df": tests["df"]},
            lower=tests["estimate"] - half,
            upper=tests["estimate"] + half,
        )
        return table if self.scale is None else self.scale.means(table, self.estimand)

    def contrast(
        self,
        method: Any = "pairwise",
        adjust: Adjust | None = None,
        by: str | Sequence[str] | None = None,
        ref: Hashable | None = None,
    ) -> Contrasts:
        """Contrasts among the means, within each combination of the `by` factors.

        Parameters
        ----------
        method : str, dict or DataFrame
            ``"pairwise"``, ``"trt.vs.ctrl"`` (against the first mean), ``"trt.vs.ctrlk"`` (against the last),
            ``"consec"``, ``"eff"`` (deviations from the average), ``"poly"``, or
            ``{"name": [one number per mean]}``, or ``{"name": {"label": number}}``; or a DataFrame with a column per
            contrast, its index the labels of the means.
        adjust : {"tukey", "dunnettx", "mvt", "sidak", "bonferroni", "holm", "fdr", "none"}, optional
            Of p-values and intervals within each family; as in emmeans ``"tukey"`` for pairwise contrasts,
            ``"dunnettx"`` against a control, ``"mvt"`` for ``"consec"``, ``"fdr"`` for ``"eff"``, else ``"none"``.
            Tukey's method holds for pairwise contrasts only: others get Sidak's.
        by : str or sequence of str, optional
            Other `by` factors than those of the means; an empty sequence for none.
        ref : int or str, optional
            Control of ``"trt.vs.ctrl"``: position or label of a mean.

        Returns
        -------
        Contrasts

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
        """
        by = self.by if by is None else (by,) if isinstance(by, str) else tuple(by)
        present = [*self.factors, *self.by]
        for name in by:
            if name not in present:
                raise OptionError(
                    f"by={name!r} is not a factor of these means; they have {', '.join(map(repr, present))}."
                )
        inside = [name for name in present if name not in by]
        frames, L, offset, compared, last = [], [], [], [], None
        for rows in by_groups(self.frame, by):
            last = coefficients(method, labels(self.frame.loc[self.frame.index[rows], inside]), ref)
            frame = pd.DataFrame({"contrast": self._named(last.names, method)})
            for name in by:
                frame[name] = self.frame[name].iloc[rows[0]]
            frames.append(frame)
            L.append(last.matrix @ self.L[rows])
            offset.append(last.matrix @ self.offset[rows])
            if len(last.matrix):
                compared.append(last.matrix != 0.0)
        assert last is not None
        adjust = last.adjust if adjust is None else adjust
        adjustment.check_method(adjust)
        contrasts = Contrasts(
            self.fitted,
            pd.concat(frames, ignore_index=True),
            np.vstack(L),
            np.concatenate(offset),
            by,
            self.ddf,
            self.level,
            adjust="sidak" if adjust == "tukey" and not last.pairwise else adjust,
            compared=tuple(compared),
            remarks=(self.scale.note,) if self.scale is not None and self.scale.note else (),
            scale=self.scale,
        )
        contrasts._warn()
        if not compared:
            self._warn_empty(by)
        return contrasts

    def _named(self, names: Sequence[str], method: Any) -> list[str]:
        """Names of contrasts: differences that are shown as ratios have the sign of a ratio."""
        ratios = self.scale is not None and self.scale.ratio and isinstance(method, str)
        return [name.replace(" - ", " / ") if ratios else name for name in names]

    def _warn_empty(self, by: Sequence[str]) -> None:
        single = [name for name in (*self.factors, *self.by) if name in self.fixed and name not in by]
        if single:
            values = ", ".join(f"{name!r} stands at {self.frame[name].iloc[0]!s}" for name in single)
            mend = "at={" + ", ".join(f"{name!r}: [...]" for name in single) + "} with two values or more to emmeans"
        else:
            values = f"each combination of by={list(by)!r} has one mean"
            mend = "by= fewer factors"
        warnings.warn(
            f"There is nothing to compare, so the table of contrasts is empty: {values}. Give {mend}.",
            EmptyTableWarning,
            stacklevel=user_level(),
        )


@dataclass(frozen=True, eq=False, repr=False)
class Contrasts(_Estimates):
    """Contrasts among marginal means.

    Attributes
    ----------
    adjust : str
        Adjustment that was used.
    compared : tuple of ndarray of bool, one per family, shape (contrasts, means)
        Which means each contrast compares.
    notes : tuple of str
    """

    adjust: str = "none"
    compared: tuple[np.ndarray, ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """Columns ``contrast``, `by` factors, ``estimate, SE, df, lower, upper, t, p``; ``z`` of generalized fits."""
        tests = self._tests
        t, df = tests["t"].to_numpy(), tests["df"].to_numpy()
        p, half = np.full(len(t), np.nan), np.zeros(len(t))
        for rows, compared in zip(by_groups(self.frame, self.by), self.compared, strict=True):
            correlation = self._correlation(rows) if self.adjust == "mvt" else None
            # Means that no contrast with an estimate compares are not in the family.
            family = int(compared[~np.isnan(df[rows])].any(axis=0).sum())
            p[rows] = adjustment.adjusted_p(t[rows], df[rows], self.adjust, family=family, correlation=correlation)
            half[rows] = adjustment.critical_values(
                df[rows], self.level, self.adjust, family=family, correlation=correlation
            )
        estimate, width = tests["estimate"], _width(tests["SE"], half)
        table = self.frame.assign(
            estimate=estimate, SE=tests["SE"], df=df, lower=estimate - width, upper=estimate + width
        ).assign(**{"t" if self.fitted.has_residual else "z": t, "p": p})
        return table if self.scale is None else self.scale.contrasts(table)


def _width(se: pd.Series, half: np.ndarray) -> pd.Series:
    """Half-width of the intervals; what is known exactly has none, whatever its degrees of freedom."""
    return (se * half).where(se != 0.0, 0.0)
