"""Numbers as cells: digits that mean something, and no more."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mixedsparse.inference.p_values import p_value

__all__ = ["align_points", "correlation", "degrees", "estimate", "p_value", "significant"]

# Beyond these, powers of ten read better than zeros.
_SMALLEST, _LARGEST = 1e-5, 1e8
# Significant digits of a standard error; the estimate gets as many decimals.
_ERROR_DIGITS = 4
# Digits of an estimate in all.
_WIDEST = 12


def significant(value: float, digits: int = 5) -> str:
    """`value` with so many significant digits, whole numbers kept whole.

    >>> significant(612.0899), significant(0.0123456), significant(1234567.8), significant(0.0)
    ('612.09', '0.012346', '1234568', '0')
    """
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    if not _SMALLEST <= abs(value) < _LARGEST:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(0, _decimals(value, digits))}f}"


def _decimals(value: float, digits: int) -> int:
    """Decimals that show `digits` significant digits of `value` (after rounding: 9.9996 counts as 10)."""
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])
    return digits - 1 - exponent


def estimate(value: float, error: float) -> tuple[str, str]:
    """Estimate and standard error with the same decimals, as many as the error's leading digits ask for.

    >>> estimate(251.4051048, 6.824556), estimate(0.0000321, 0.00000123456)
    (('251.405', '6.825'), ('3.2100e-05', '1.235e-06'))
    """
    if not math.isfinite(error):
        return significant(value), str(error)
    decimals = max(0, _decimals(error, _ERROR_DIGITS))
    if _SMALLEST <= error < _LARGEST and abs(value) < 10.0 ** (_WIDEST - decimals):
        return f"{value:.{decimals}f}", f"{error:.{decimals}f}"
    smaller = _decimals(error, 1) - _decimals(value, 1) if value else 0
    return f"{value:.{min(max(smaller, 0) + _ERROR_DIGITS - 1, _WIDEST)}e}", f"{error:.{_ERROR_DIGITS - 1}e}"


def degrees(df: float) -> str:
    """Degrees of freedom; ``inf`` for a normal reference, ``nan`` for no test."""
    return f"{df:.1f}" if math.isfinite(df) else str(float(df))


def correlation(value: float | None) -> str:
    """Two decimals; ``n/a`` where a variance is zero, nothing where there is no correlation."""
    if value is None:
        return ""
    return "n/a" if math.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00")


def align_points(cells: Sequence[str]) -> list[str]:
    """Pad on the right so that decimal points stand below each other.

    >>> align_points(["612.09", "5.9", "18"])
    ['612.09', '5.9 ', '18   ']
    """
    tails = [len(cell) - cell.find(".") if "." in cell else 0 for cell in cells]
    # Powers of ten and words stand flush right: their tail says nothing about size.
    plain = ["e" not in cell and any(c.isdigit() for c in cell) for cell in cells]
    longest = max((tail for tail, is_plain in zip(tails, plain, strict=True) if is_plain), default=0)
    return [
        cell + " " * (longest - tail) if is_plain else cell
        for cell, tail, is_plain in zip(cells, tails, plain, strict=True)
    ]
