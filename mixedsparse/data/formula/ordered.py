"""Effects of structured terms: which columns they are, and in which order.

An autoregression is one of the levels of a factor in order: a whole number is such a factor, and its distances count. A
categorical goes by the order of its categories, text that reads as numbers by these numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mixedsparse.core.structures.interface import Structure
from mixedsparse.core.structures.kinds import AR1, CS, US, Kind, Toep
from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.contrasts import Coding, Contrast
from mixedsparse.data.formula.encoders import Encoder, Transform, fit_encoder
from mixedsparse.data.formula.parse import ParsedBar
from mixedsparse.data.formula.translate import restore
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import DataError, FormulaError, OptionError, StructureWarning

__all__ = ["fit_ordered", "structure_of"]


def fit_ordered(
    bar: ParsedBar, values: Mapping[str, Any], codings: Mapping[str, Coding], columns: Columns
) -> tuple[Encoder, np.ndarray]:
    """Encode the effects of a bar whose covariance is one of effects in order; return the encoder and z (n, k).

    Raises
    ------
    FormulaError, DataError
        They are not the levels of one factor.
    """
    alias = _only_factor(bar)
    if alias in bar.effects.bare and alias not in codings:
        # A number: whole, so that each is a level.
        numbers, column = values[alias], columns.names[alias]
        bad = np.flatnonzero(numbers != np.rint(numbers))
        if len(bad):
            raise DataError(
                f"The column {column!r} in {bar.text!r} holds {numbers[bad[0]]:g}, and {_name(bar)}() takes whole "
                f"numbers or a factor: round or rescale it, or give residual='car1({column} | g)'."
            )
        codes, coding = columns.code(alias, Contrast())
        values, codings = {**values, alias: codes}, {**codings, alias: coding}
    encoder, matrix = fit_encoder(bar.effects, values, codings, columns.n, columns.env)
    if not encoder.is_factor(alias):
        raise FormulaError(f"{_one_factor(bar)} {restore(alias, columns.names)!r} is none.")
    return encoder, matrix


def structure_of(bar: ParsedBar, encoder: Encoder) -> Structure | None:
    """Structure of the covariance of the effects of `bar`; None where it is any.

    Warns
    -----
    StructureWarning
        It is hardly the one that is meant.
    """
    kind = bar.kind
    if kind is None or isinstance(kind, US):
        return None
    if isinstance(kind, CS):
        _warn_of_intercept(bar, encoder)
    if kind.takes_order:
        kind = _with_times(kind, _levels(encoder, _only_factor(bar)), bar)
    try:
        return kind.of(bar.roles * len(encoder.names))
    except OptionError as err:
        raise FormulaError(f"The term {bar.text!r}: {err}") from None


def _only_factor(bar: ParsedBar) -> str:
    """Expression of the one factor that stands left of a bar.

    Raises
    ------
    FormulaError
        There is an intercept, or more than one factor.
    """
    terms = list(bar.effects.formula)
    factors = [[factor.expr for factor in term.factors] for term in terms]
    if ["1"] in factors:
        left = bar.effects.label
        raise FormulaError(
            f"{_one_factor(bar)} An intercept beside it would be an effect of its own: write '0 + {left}' left of the "
            "bar."
            if len(factors) == 2
            else f"{_one_factor(bar)} Write '0 + f', f being the factor."
        )
    if len(factors) != 1 or len(factors[0]) != 1:
        raise FormulaError(f"{_one_factor(bar)} Write '0 + f', f being the factor.")
    return str(factors[0][0])


def _one_factor(bar: ParsedBar) -> str:
    return f"The effects of {bar.text!r} must be the levels of one factor, since {_name(bar)}() goes by their order."


def _name(bar: ParsedBar) -> str:
    return bar.text.partition("(")[0]


def _levels(encoder: Encoder, expression: str) -> Sequence[Any]:
    """Levels of the one factor, in the order of the effects."""
    if expression in encoder.codings:
        return encoder.codings[expression].levels
    assert isinstance(encoder, Transform)
    found: Sequence[Any] = encoder.spec.encoder_state[expression][1]["categories"]
    return found


def _with_times(kind: Kind, levels: Sequence[Any], bar: ParsedBar) -> Kind:
    """Give the effects their times: the levels themselves where they are numbers, else their places in order."""
    if not isinstance(kind, AR1 | Toep):
        return kind
    if all(isinstance(level, int | np.integer) and not isinstance(level, bool) for level in levels):
        if isinstance(kind, Toep) and len(set(np.diff(np.sort(levels)))) > 1:
            raise DataError(
                f"The times in {bar.text!r} are not evenly spaced ({_shown(np.array(levels))}), and {_name(bar)}() has "
                "one correlation for each distance: give a factor, whose order alone counts."
            )
        return replace(kind, times=tuple(int(level) for level in levels))
    numbers = _as_numbers(levels)
    if numbers is None:
        return kind
    # Text is sorted as text, unless somebody has put categories in another order.
    places = np.arange(len(levels))
    if [str(level) for level in levels] == sorted(map(str, levels)):
        places = np.argsort(np.argsort(numbers))
    if len(set(np.diff(np.sort(numbers)))) > 1:
        warnings.warn(
            f"The levels of the factor in {bar.text!r} are numbers at unequal distances ({_shown(numbers)}), but count "
            "as successive ones: give the column as whole numbers, not as text or categories, for correlations by "
            "distance.",
            StructureWarning,
            stacklevel=user_level(),
        )
    return replace(kind, times=tuple(places.tolist()))


def _as_numbers(levels: Sequence[Any]) -> np.ndarray | None:
    try:
        return np.array([float(str(level)) for level in levels])
    except ValueError:
        return None


def _shown(numbers: np.ndarray) -> str:
    listed = ", ".join(f"{number:g}" for number in np.sort(numbers)[:4])
    return f"{listed}, ..." if len(numbers) > 4 else listed


def _warn_of_intercept(bar: ParsedBar, encoder: Encoder) -> None:
    """Equal correlations of an intercept and differences from it are another model than those of the levels."""
    terms = [[factor.expr for factor in term.factors] for term in bar.effects.formula]
    factors = [expr for parts in terms for expr in parts if expr != "1" and encoder.is_factor(expr)]
    if ["1"] in terms and factors:
        warnings.warn(
            f"{bar.text!r} makes the intercept and the contrasts of a factor equally correlated, which depends on the "
            f"coding of the factor. For equal correlations of its levels write '0 + {bar.effects.label}' left of the "
            "bar.",
            StructureWarning,
            stacklevel=user_level(),
        )
