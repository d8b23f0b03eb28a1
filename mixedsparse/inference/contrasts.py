"""Contrasts among marginal means, or among contrasts: the object, and how it is made."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import EmptyTableWarning, OptionError
from mixedsparse.inference import adjust as adjustment
from mixedsparse.inference.contrasts_of_means import Coefficients, by_groups, coefficients, labels
from mixedsparse.inference.estimates import Estimates, half_widths
from mixedsparse.inference.products_of_contrasts import methods_of, products
from mixedsparse.inference.response_scale import modelled_scale

__all__ = ["Contrasts", "contrast"]

# Sum of the coefficients of a difference, over the largest of them (emmeans' bound).
_ZERO = 1e-6
_NAMES = {
    "tukey": "Tukey's method",
    "dunnettx": "Dunnett's method (approximate)",
    "mvt": "the multivariate t distribution",
    "sidak": "Sidak's method",
    "bonferroni": "Bonferroni's method",
    "holm": "Holm's method (intervals: Bonferroni's)",
    "fdr": "the false discovery rate (intervals: Bonferroni's method)",
}


@dataclass(frozen=True, eq=False, repr=False)
class Contrasts(Estimates):
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


def contrast(
    means: Estimates,
    method: Any,
    adjust: str | None,
    by: str | Sequence[str] | None,
    ref: Hashable | None,
    interaction: Any,
    simple: str | Sequence[str] | None,
) -> Contrasts:
    """See `Estimates.contrast`."""
    by, inside = _split(means, by, simple)
    each = methods_of(interaction, method, inside, ref)
    frames, L, offset, compared, last = [], [], [], [], None
    for rows in by_groups(means.frame, by):
        labelled = means.frame.loc[means.frame.index[rows], list(inside)]
        if each is None:
            last = coefficients(method, labels(labelled), ref)
            frame = pd.DataFrame({_unused("contrast", by): _named(means, last.names, method)})
        else:
            frame, last = _product(means, labelled, each)
        for name in by:
            frame[name] = means.frame[name].iloc[rows[0]]
        frames.append(frame)
        L.append(last.matrix @ means.L[rows])
        offset.append(last.matrix @ means.offset[rows])
        if len(last.matrix):
            compared.append(last.matrix != 0.0)
    assert last is not None
    adjust = last.adjust if adjust is None else adjust
    adjustment.check_method(adjust)
    contrasts = Contrasts(
        means.fitted,
        pd.concat(frames, ignore_index=True),
        np.vstack(L),
        np.concatenate(offset),
        by,
        means.ddf,
        means.level,
        adjust="sidak" if adjust == "tukey" and not last.pairwise else adjust,
        compared=tuple(compared),
        factors=tuple(name for name in frames[0].columns if name not in by),
        averaged=means.averaged,
    )
    contrasts = _scaled(contrasts, means, last)
    contrasts._warn()
    if not compared:
        _warn_empty(means, by)
    return contrasts


def _split(
    means: Estimates, by: str | Sequence[str] | None, simple: str | Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`by` factors, and those whose levels are compared."""
    present = (*means.factors, *means.by)
    given = means.by if by is None else (by,) if isinstance(by, str) else tuple(by)
    if simple is not None:
        if by is not None:
            raise OptionError("simple= compares within all other factors, so that by= has nothing to say: drop one.")
        if simple == "each" and "each" not in present:
            loop = "{name: means.contrast(method, simple=name) for name in means.factors}"
            raise OptionError(f"simple='each' would be several tables: write {loop}.")
        wanted = (simple,) if isinstance(simple, str) else tuple(simple)
        _check_present("simple", wanted, present)
        given = tuple(name for name in present if name not in wanted)
    _check_present("by", given, present)
    return given, tuple(name for name in present if name not in given)


def _check_present(what: str, names: Sequence[str], present: Sequence[str]) -> None:
    for name in names:
        if name not in present:
            raise OptionError(
                f"{what}={name!r} is not a factor of these means; they have {', '.join(map(repr, present))}."
            )


def _unused(name: str, taken: Sequence[str]) -> str:
    """`name`, with a number where it is taken, as in contrasts of contrasts."""
    return next(tried for i in range(len(taken) + 1) if (tried := f"{name}{i or ''}") not in taken)


def _product(means: Estimates, frame: pd.DataFrame, methods: Mapping[str, Any]) -> tuple[pd.DataFrame, Coefficients]:
    """Columns and coefficients of the products of the contrasts of each factor."""
    columns, found = products(frame, methods)
    named = {
        f"{name}_{method if isinstance(method, str) else 'custom'}": _named(means, names, method)
        for (name, method), names in zip(methods.items(), columns, strict=True)
    }
    return pd.DataFrame(named, index=pd.RangeIndex(len(found.matrix))), found


def _named(means: Estimates, names: Sequence[str], method: Any) -> list[str]:
    """Names of contrasts: differences that are shown as ratios have the sign of a ratio."""
    ratios = means.scale is not None and means.scale.ratio and isinstance(method, str)
    return [name.replace(" - ", " / ") if ratios else name for name in names]


def _scaled(contrasts: Contrasts, means: Estimates, found: Coefficients) -> Contrasts:
    """Give the contrasts the scale of the means where they have one there: differences of logarithms are ratios."""
    scale = means.scale
    if scale is None:
        return contrasts
    largest = np.abs(found.matrix).max(axis=1, initial=0.0)
    if scale.ratio and not isinstance(means, Contrasts) and (np.abs(found.matrix.sum(axis=1)) > _ZERO * largest).any():
        remark = f"Not all of these are differences, so that they stay on the scale of {scale.name}."
        return replace(contrasts, remarks=(remark,))
    return replace(contrasts, scale=scale, remarks=(scale.note,) if scale.note else ())


def _warn_empty(means: Estimates, by: Sequence[str]) -> None:
    single = [name for name in (*means.factors, *means.by) if name in means.fixed and name not in by]
    if single:
        values = ", ".join(f"{name!r} stands at {means.frame[name].iloc[0]!s}" for name in single)
        mend = "at={" + ", ".join(f"{name!r}: [...]" for name in single) + "} with two values or more to emmeans"
    else:
        values = f"each combination of by={list(by)!r} has one mean"
        mend = "by= fewer factors"
    warnings.warn(
        f"There is nothing to compare, so the table of contrasts is empty: {values}. Give {mend}.",
        EmptyTableWarning,
        stacklevel=user_level(),
    )
