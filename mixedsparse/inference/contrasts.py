"""Contrasts among marginal means, or among contrasts: the object, and how it is made."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, Literal, overload

import numpy as np
import pandas as pd

from mixedsparse.ground.choices import Adjust
from mixedsparse.inference import adjust as adjustment
from mixedsparse.inference.comparisons import Comparison, compare, warn_empty, warn_single
from mixedsparse.inference.contrasts_of_means import by_groups
from mixedsparse.inference.drawing import drawn
from mixedsparse.inference.estimates import Estimates, half_widths
from mixedsparse.inference.response_scale import modelled_scale

__all__ = ["Comparable", "Contrasts", "SimpleContrasts"]

_NAMES = {
    "tukey": "Tukey's method",
    "dunnettx": "Dunnett's method (approximate)",
    "mvt": "the multivariate t distribution",
    "sidak": "Sidak's method",
    "bonferroni": "Bonferroni's method",
    "holm": "Holm's method (intervals: Bonferroni's)",
    "fdr": "the false discovery rate (intervals: Bonferroni's method)",
}


class Comparable(Estimates):
    """Estimates that can be compared: marginal means, and contrasts again."""

    @overload
    def contrast(
        self,
        method: Any = ...,
        adjust: Adjust | None = ...,
        by: str | Sequence[str] | None = ...,
        ref: Hashable | None = ...,
        *,
        interaction: Any = ...,
        simple: Literal["each"],
    ) -> SimpleContrasts: ...
    @overload
    def contrast(
        self,
        method: Any = ...,
        adjust: Adjust | None = ...,
        by: str | Sequence[str] | None = ...,
        ref: Hashable | None = ...,
        *,
        interaction: Any = ...,
        simple: str | Sequence[str] | None = ...,
    ) -> Contrasts: ...
    def contrast(
        self,
        method: Any = "pairwise",
        adjust: Adjust | None = None,
        by: str | Sequence[str] | None = None,
        ref: Hashable | None = None,
        *,
        interaction: Any = False,
        simple: str | Sequence[str] | None = None,
    ) -> Any:
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
            Factors to compare, within each combination of all others: what ``by=`` the others says. ``"each"`` does so
            for every factor in turn.

        Returns
        -------
        Contrasts, or SimpleContrasts (a dict, factor -> Contrasts) with ``simple="each"``
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
        present = (*self.factors, *self.by)
        if isinstance(simple, str) and simple == "each" and "each" not in present:
            each = {
                name: self.contrast(method, adjust, by, ref, interaction=interaction, simple=name) for name in present
            }
            return SimpleContrasts(each)
        found = compare(self, method, by, ref, interaction, simple)
        if adjust is not None:
            adjustment.check_method(adjust)
            warn_single(self, found, adjust)
        adjust = found.last.adjust if adjust is None else adjust
        contrasts = Contrasts(
            self.fitted,
            found.frame,
            found.L,
            found.offset,
            found.by,
            self.ddf,
            self.level,
            adjust="sidak" if adjust == "tukey" and not found.last.pairwise else adjust,
            compared=found.compared,
            factors=tuple(name for name in found.frame.columns if name not in found.by),
            averaged=self.averaged,
            **self._scale_of(found),
        )
        contrasts._warn()
        if not found.compared:
            warn_empty(self, found.by)
        return contrasts

    def _scale_of(self, found: Comparison) -> dict[str, Any]:
        """Scale of contrasts, and what is to be said of it: differences of logarithms are ratios, sums are not."""
        scale = self.scale
        if scale is None:
            return {}
        if scale.ratio and not isinstance(self, Contrasts) and not found.is_of_differences:
            return {"remarks": (f"Not all of these are differences, so that they stay on the scale of {scale.name}.",)}
        return {"scale": scale, "remarks": (scale.note,) if scale.note else ()}


class SimpleContrasts(dict[str, "Contrasts"]):
    """Factor -> its contrasts within all combinations of the others, with a family for each combination."""

    def __repr__(self) -> str:
        return "\n\n".join(f"{name}\n{contrasts!r}" for name, contrasts in self.items())

    def _repr_html_(self) -> str:
        return "".join(f"<h4>{escape(name)}</h4>{contrasts._repr_html_()}" for name, contrasts in self.items())


@dataclass(frozen=True, eq=False, repr=False)
class Contrasts(Comparable):
    """Contrasts among marginal means.

    Attributes
    ----------
    adjust : str
        Adjustment that was used.
    compared : tuple of ndarray of bool, one per family, shape (contrasts, means)
        Which means each contrast compares.
    notes : tuple of str
        What a reader of the table must know: scale, averages, degrees of freedom, level, adjustment and the size of the
        families, and which contrasts the data do not determine, and why.
    """

    adjust: str = "none"
    compared: tuple[np.ndarray, ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """Columns ``contrast``, `by` factors, ``estimate, SE, df, lower, upper, t, p``; ``z`` of generalized fits."""
        tests = self._tests
        t, df = tests["t"].to_numpy(), tests["df"].to_numpy()
        p, half = np.full(len(t), np.nan), np.zeros(len(t))
        for rows, family in zip(by_groups(self.frame, self.by), self._families, strict=True):
            correlation = self._correlation(rows) if self.adjust == "mvt" else None
            p[rows] = adjustment.adjusted_p(t[rows], df[rows], self.adjust, family=family, correlation=correlation)
            half[rows] = adjustment.critical_values(
                df[rows], self.level, self.adjust, family=family, correlation=correlation
            )
        estimate, width = tests["estimate"], half_widths(tests["SE"], half)
        table = self.frame.assign(
            estimate=estimate, SE=tests["SE"], df=df, lower=estimate - width, upper=estimate + width
        ).assign(**{"t" if self.fitted.has_residual else "z": t, "p": p})
        return table if self.scale is None else self.scale.contrasts(table)

    def plot(self, *, ax: Any = None) -> np.ndarray:
        """Draw the contrasts with their adjusted intervals, a panel for each combination of the `by` factors.

        Parameters
        ----------
        ax : Axes or array of Axes, optional

        Returns
        -------
        ndarray of matplotlib Axes
            One per panel.
        """
        return drawn("contrasts", self, ax)

    @cached_property
    def _families(self) -> list[int]:
        """Number of means in each family; those that no contrast with an estimate compares are not in it."""
        df = self._tests["df"].to_numpy()
        groups = zip(by_groups(self.frame, self.by), self.compared, strict=True)
        return [int(compared[~np.isnan(df[rows])].any(axis=0).sum()) for rows, compared in groups]

    @property
    def _scale(self) -> str:
        scale = modelled_scale(self.fitted)
        if not scale or any(scale in remark for remark in self.remarks):
            return ""
        return f"Estimates are on the scale of {scale}." if self.scale is None else f"Tests are those of {scale}."

    @property
    def _level(self) -> str:
        df = self._tests["df"].to_numpy()
        tests = [int((~np.isnan(df[rows])).sum()) for rows in by_groups(self.frame, self.by)]
        if self.adjust == "none" or max(tests, default=0) < 2:
            return f"Intervals of level {self.level:g}, tests not adjusted for their number."
        sizes = sorted(set(self._families if self.adjust == "tukey" else tests))
        size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
        what = "means" if self.adjust == "tukey" else "tests"
        families = f"families of {size} {what}" if len(tests) > 1 else f"a family of {size} {what}"
        return f"Intervals of level {self.level:g} and p-values adjusted by {_NAMES[self.adjust]} for {families}."
