"""Formulas of the problem table, taken apart for engines that spell models otherwise.

Only what the table uses: bars with sums and products of columns on the left, columns and ``a:b`` on the right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Bar", "Parts", "by_columns", "spelled_out", "split", "with_columns_for_products"]

BAR = re.compile(r"\(([^|()]+)\|([^|()]+)\)")
INTERCEPT = "1"


@dataclass(frozen=True)
class Bar:
    """One random-effects term: `effects` written out, intercept first, and the grouping factor."""

    effects: tuple[str, ...]
    group: str

    @property
    def is_intercept(self) -> bool:
        """Whether the term is a random intercept and nothing else."""
        return self.effects == (INTERCEPT,)

    @property
    def columns(self) -> set[str]:
        """Columns that the effects are made of."""
        return {name for effect in self.effects for name in effect.split(":")} - {INTERCEPT}

    def __str__(self) -> str:
        return f"({' + '.join(self.effects)} | {self.group})"


@dataclass(frozen=True)
class Parts:
    """A formula in parts: `response`, `fixed` right-hand side, `bars` in the order written."""

    response: str
    fixed: str
    bars: tuple[Bar, ...]


def split(formula: str) -> Parts:
    """Take `formula` apart; ``A * B`` on the left of a bar becomes ``1 + A + B + A:B``."""
    response, _, right = formula.partition("~")
    bars = tuple(Bar(_written_out(effects), group.strip()) for effects, group in BAR.findall(right))
    terms = [term.strip() for term in BAR.sub("", right).split("+")]
    return Parts(response.strip(), " + ".join(term for term in terms if term) or INTERCEPT, bars)


def with_columns_for_products(frame: pd.DataFrame, bars: Sequence[Bar]) -> tuple[pd.DataFrame, tuple[Bar, ...]]:
    """Give every ``a:b`` of `bars` a column ``a_b`` of its own, for engines that know no such operator.

    Returns
    -------
    frame : DataFrame
        With the product of the columns of an effect, and the combined levels of those of a group, as a category.
    bars : tuple of Bar
        In terms of the new columns.
    """
    made = {}
    for bar in bars:
        for effect in bar.effects:
            if ":" in effect:
                made[effect.replace(":", "_")] = frame[effect.split(":")].prod(axis=1)
        if ":" in bar.group:
            parts = [frame[name].astype(str) for name in bar.group.split(":")]
            made[bar.group.replace(":", "_")] = parts[0].str.cat(parts[1:], sep=":").astype("category")
    renamed = (Bar(tuple(e.replace(":", "_") for e in bar.effects), bar.group.replace(":", "_")) for bar in bars)
    return frame.assign(**made), tuple(renamed)


def spelled_out(formula: str, frame: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """Formula and data with products in and behind bars as columns, for engines that read R's formulas without them."""
    parts = split(formula)
    frame, bars = with_columns_for_products(frame, parts.bars)
    return f"{parts.response} ~ {parts.fixed} + {' + '.join(map(str, bars))}", frame


def _written_out(effects: str) -> tuple[str, ...]:
    found = [INTERCEPT]
    for term in effects.split("+"):
        factors = [name.strip() for name in term.split("*")]
        for size in range(1, len(factors) + 1):
            found += [":".join(chosen) for chosen in combinations(factors, size)]
    return tuple(effect for effect in dict.fromkeys(found) if effect != "0")


def by_columns(theta: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Put lower triangles that are stacked row by row, one of each of `sizes`, into the judge's order: by columns."""
    if len(theta) != sum(size * (size + 1) // 2 for size in sizes):
        raise ValueError(f"{len(theta)} numbers are not the lower triangles of {list(sizes)} effects.")
    out, start = [], 0
    for size in sizes:
        row_start = [start + row * (row + 1) // 2 for row in range(size)]
        out += [float(theta[row_start[row] + column]) for column in range(size) for row in range(column, size)]
        start += size * (size + 1) // 2
    return out
