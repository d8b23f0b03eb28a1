"""What contrasts compare: coefficients and labels for each family of marginal means, or of contrasts."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import EmptyTableWarning, OptionError, UnusedOptionWarning
from mixedsparse.inference.contrasts_of_means import Coefficients, by_groups, coefficients, labels
from mixedsparse.inference.estimates import Estimates
from mixedsparse.inference.products_of_contrasts import methods_of, products

__all__ = ["Comparison", "compare", "warn_empty", "warn_single"]

# Sum of the coefficients of a difference, over the largest of them (emmeans' bound).
_ZERO = 1e-6


@dataclass(frozen=True, eq=False)
class Comparison:
    """Contrasts among the rows of some estimates.

    Attributes
    ----------
    frame : DataFrame
        Their labels and the `by` factors.
    L, offset : ndarray, shapes (c, P), (c,)
    by : tuple of str
    compared : tuple of ndarray of bool, one per family that has contrasts
        Which means each contrast compares.
    last : Coefficients
        Of the last family.
    """

    frame: pd.DataFrame
    L: np.ndarray
    offset: np.ndarray
    by: tuple[str, ...]
    compared: tuple[np.ndarray, ...]
    last: Coefficients

    @property
    def is_of_differences(self) -> bool:
        """Whether the coefficients of each contrast sum to 0."""
        largest = np.abs(self.last.matrix).max(axis=1, initial=0.0)
        return bool((np.abs(self.last.matrix.sum(axis=1)) <= _ZERO * largest).all())


def compare(
    means: Estimates,
    method: Any,
    by: str | Sequence[str] | None,
    ref: Hashable | None,
    interaction: Any,
    simple: str | Sequence[str] | None,
) -> Comparison:
    """Find the contrasts that `Comparable.contrast` asks for."""
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
    whole = pd.concat(frames, ignore_index=True)
    return Comparison(whole, np.vstack(L), np.concatenate(offset), by, tuple(compared), last)


def _split(
    means: Estimates, by: str | Sequence[str] | None, simple: str | Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`by` factors, and those whose levels are compared."""
    present = (*means.factors, *means.by)
    given = means.by if by is None else (by,) if isinstance(by, str) else tuple(by)
    if simple is not None:
        if by is not None:
            raise OptionError("simple= compares within all other factors, so that by= has nothing to say: drop one.")
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


def warn_empty(means: Estimates, by: Sequence[str]) -> None:
    """Warn of a table without contrasts."""
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


def warn_single(means: Estimates, found: Comparison, adjust: str) -> None:
    """Warn of an adjustment that was asked for where each of several families has one test."""
    families = by_groups(found.frame, found.by)
    single = len(found.last.matrix) == 1 and all(len(rows) == 1 for rows in families)
    if adjust == "none" or len(families) < 2 or not single:
        return
    grid = labels(means.frame[[*means.factors, *means.by]])
    places = by_groups(means.frame, found.by)[-1]
    weights = {grid[i]: value for i, value in zip(places, found.last.matrix[0], strict=True) if value}
    example = ", ".join(f"{label!r}: {value:g}" for label, value in weights.items())
    where = " ".join(str(found.frame[name].iloc[-1]) for name in found.by)
    warnings.warn(
        f"adjust={adjust!r} adjusts nothing: by={list(found.by)!r} makes a family of each combination, and each has "
        f"one test. For one family of all {len(families)} tests name them on the joint grid: "
        f"contrast({{{where!r}: {{{example}}}, ...}}, by=[], adjust={adjust!r}).",
        UnusedOptionWarning,
        stacklevel=user_level(),
    )
