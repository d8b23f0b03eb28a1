"""Tests as lines of text in the style of the American Psychological Association."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import OptionError

__all__ = ["apa_lines", "apa_p", "apa_test"]

# Columns of estimates, in the order in which they are looked for, and the letter that stands for each.
_ESTIMATES = {
    "Estimate": "b",
    "estimate": "b",
    "odds_ratio": "OR",
    "ratio": "ratio",
    "emmean": "M",
    "trend": "b",
    "prob": "probability",
    "rate": "rate",
    "response": "M",
}
# Columns of the exponentials of coefficients, which stand beside these; the limits are theirs.
_RATIOS = {"odds ratio": "OR", "rate ratio": "rate ratio", "hazard ratio": "HR"}
_SMALLEST = 0.001


def apa_p(p: float) -> str:
    """``p = .012`` or ``p < .001``: three decimals, no zero before the point.

    >>> apa_p(0.0123), apa_p(4e-7), apa_p(0.9999), apa_p(0.0006)
    ('p = .012', 'p < .001', 'p > .999', 'p < .001')
    """
    if np.isnan(p):
        return "p undefined"
    if p < _SMALLEST:
        return "p < .001"
    return "p > .999" if p > 1.0 - 0.5 * _SMALLEST else f"p = {_bare(p, 3)}"


def _bare(value: float, decimals: int) -> str:
    """Return a number between -1 and 1 without its zero before the point."""
    return f"{value:.{decimals}f}".replace("0.", ".", 1)


def _degrees(df: float) -> str:
    """Whole degrees of freedom as such, others with two decimals."""
    if not np.isfinite(df):
        return "∞"
    return f"{df:.0f}" if abs(df - round(df)) < 0.005 else f"{df:.2f}"


def apa_test(row: Mapping[str, Any]) -> str:
    """Statistic, degrees of freedom and p-value of one row of a table; empty where it holds no test."""
    p = row.get("p")
    if p is None or (isinstance(p, float) and np.isnan(p)):
        return ""
    if {"F", "NumDF", "DenDF"} <= row.keys():
        return f"F({_degrees(row['NumDF'])}, {_degrees(row['DenDF'])}) = {row['F']:.2f}, {apa_p(p)}"
    for name in ("Chisq", "LRT"):
        if name in row:
            degrees = f"({_degrees(row['Df'])})" if "Df" in row else ""
            # Likelihood ratios count the parameters of both models; tables without are Wald's tests of one fit.
            wald = "Wald " if name == "Chisq" and "npar" not in row else ""
            return f"{wald}χ²{degrees} = {row[name]:.2f}, {apa_p(p)}"
    if "z" in row:
        return f"z = {row['z']:.2f}, {apa_p(p)}"
    if "t" in row:
        df = row.get("df", np.inf)
        return f"{f't({_degrees(df)})' if np.isfinite(df) else 'z'} = {row['t']:.2f}, {apa_p(p)}"
    return ""


class Lines(pd.Series):
    """Lines of text by name, which are shown whole: pandas would cut them."""

    @property
    def _constructor(self) -> type[Lines]:
        return Lines

    def __repr__(self) -> str:
        names = [str(name) for name in self.index]
        width = max(map(len, names), default=0)
        return "\n".join(f"{name:<{width}}  {line}" for name, line in zip(names, self, strict=True))

    __str__ = __repr__


def apa_lines(table: pd.DataFrame, level: float = 0.95) -> pd.Series:
    """Line of each row of a table of coefficients, contrasts, means or tests.

    Raises
    ------
    OptionError
        The table has no columns that are known, or does not say what they are.
    """
    if {"effect", "term", "estimate"} <= set(table):
        raise OptionError(
            "A tidy table does not say whether its estimates are coefficients, ratios or standard deviations, nor "
            "which test it holds: give the fit itself, or for ratios of a generalized fit coef_table(exp=True)."
        )
    ratio = next((name for name in _RATIOS if name in table), None)
    symbol = next((name for name in _ESTIMATES if name in table), None)
    lines = []
    for row in table.to_dict("records"):
        if ratio is not None:
            parts = [*_of_ratio(ratio, row, level), apa_test(row)]
        elif symbol is not None:
            decimals = _decimals(row.get("SE", np.nan))
            parts = [f"{_ESTIMATES[symbol]} = {row[symbol]:.{decimals}f}"]
            if "SE" in row:
                parts.append(f"SE = {row['SE']:.{decimals}f}")
            parts += [apa_test(row), _interval(row, level, decimals)]
        else:
            parts = [apa_test(row)]
        lines.append(", ".join(filter(None, parts)))
    if ratio is None and symbol is None and not any(lines):
        raise OptionError(f"The table holds neither estimates nor tests that are known: {', '.join(map(str, table))}.")
    out = Lines(lines, index=_labels(table), name="apa", dtype=object)
    return out[out != ""]


def _of_ratio(name: str, row: Mapping[str, Any], level: float) -> list[str]:
    """Ratio and its limits; the standard error of the table is that of its logarithm, and stays out."""
    decimals = _decimals(row.get("lower", np.nan))
    return [f"{_RATIOS[name]} = {row[name]:.{decimals}f}", _interval(row, level, decimals)]


def _interval(row: Mapping[str, Any], level: float, decimals: int) -> str:
    """Limits of a row; empty where it has none."""
    if not {"lower", "upper"} <= row.keys():
        return ""
    return f"{100 * level:g}% CI [{row['lower']:.{decimals}f}, {row['upper']:.{decimals}f}]"


def _decimals(error: float) -> int:
    """Decimals that show two digits of a standard error, or of the lower limit of a ratio, two at least."""
    if not np.isfinite(error) or error <= 0:
        return 2
    return int(min(max(2, 1 - np.floor(np.log10(error))), 8))


def _labels(table: pd.DataFrame) -> pd.Index:
    """Index of the table, or the columns that name its rows."""
    if not isinstance(table.index, pd.RangeIndex):
        return table.index
    named = [name for name in table if not pd.api.types.is_numeric_dtype(table[name]) and name != "note"]
    if not named:
        return table.index
    return pd.Index([" ".join(map(str, row)) for row in table[named].to_numpy()], dtype=object)
