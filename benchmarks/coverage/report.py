"""The rates as tables in Markdown: one per quantity, a line per method and a column per design."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.coverage import generalized
from benchmarks.coverage.designs import DESIGNS
from benchmarks.coverage.measures import INTERVAL_DRAWS, RESIDUAL_DRAWS, TEST_DRAWS
from benchmarks.coverage.rows import CoverageRow
from benchmarks.shared.text import table

__all__ = ["report"]

# Rates further than so many Monte-Carlo errors, and so many percent points, from what they should be are bold.
_ERRORS, _POINTS = 3.0, 1.0
_HEAD = """# Coverage and error rates

Share of 95 % intervals that hold the truth, and of tests at 5 % that reject a true hypothesis, in percent, by
simulation; in brackets the Monte-Carlo standard error. Rates that differ from 95 or 5 by more than three of these and
a percent point are bold. An interval that cannot be given (Wald on the boundary) counts as one that misses.
Made by `make coverage` from `results/coverage.csv`, which has the replicates of every rate.
"""
# Quantities in the order of the tables.
_ORDER = (
    "coefficients",
    "test of a term",
    "random effects",
    "predict",
    "standard deviations",
    "standard deviations of 0",
    "correlations",
    "sigma",
    "test of a variance of 0",
    "test of residuals",
    "recovery of coefficients",
    "recovery of standard deviations",
)
_NOTES = {
    "standard deviations of 0": (
        "A variance that is 0 is covered where the lower limit is 0. Replicates of the standard deviation of an effect "
        "that is correlated with others are hardly ever 0, so that bootstrap intervals do not cover it; profiles do."
    ),
    "test of a variance of 0": "Where the model has one variance.",
    "predict": (
        "Twelve rows: population means, means given the random effects of the levels that were observed, and new "
        "responses of a new level."
    ),
}


_GENERALIZED = """# Generalized models

Binary, binomial and count designs, by Laplace's approximation unless nodes of quadrature are given. "Recovery" is the
mean of the estimates over the truth, in percent: 100 means no bias. Responses that the fixed part separates are drawn
again.
"""


def report(rows: Sequence[CoverageRow]) -> str:
    """Return all tables, with the designs that they name."""
    states = sorted({f"{row.commit} ({row.date})" for row in rows})
    counts = [row.replicates for row in rows]
    effort = (
        f"{min(counts)} to {max(counts)} replicates; {INTERVAL_DRAWS} draws behind a bootstrap interval, {TEST_DRAWS} "
        f"behind a bootstrap p-value, {RESIDUAL_DRAWS} behind a test of residuals. Commits: {', '.join(states)}.\n"
    )
    linear = _part(rows, DESIGNS, "")
    more = _part(rows, generalized.DESIGNS, "Generalized: ")
    return "\n".join([_HEAD, effort, *linear, *([_GENERALIZED, *more] if more else [])])


def _part(rows: Sequence[CoverageRow], designs: Mapping[str, Callable[[], Any]], what: str) -> list[str]:
    """Designs of one kind, and a section per quantity."""
    rows = [row for row in rows if row.design in designs]
    if not rows:
        return []
    keys = [key for key in designs if any(row.design == key for row in rows)]
    lines = []
    for key in keys:
        design = designs[key]()
        lines.append((key, design.name, f"`{design.formula.replace('|', chr(92) + '|')}`"))
    parts = [table(("design", "rows", "model"), lines) + "\n"]
    for quantity in _ORDER:
        chosen = [row for row in rows if row.quantity == quantity]
        if chosen:
            note = f"\n{_NOTES[quantity]}\n" if quantity in _NOTES and not what else ""
            heading = f"{what}{quantity}"
            parts.append(f"## {heading[0].upper()}{heading[1:]}\n{note}\n{_table(chosen, keys)}\n")
    return parts


def _table(rows: Sequence[CoverageRow], every: Sequence[str]) -> str:
    keys = [key for key in every if any(row.design == key for row in rows)]
    found = {(row.method, row.design): row for row in rows}
    methods = dict.fromkeys(row.method for row in rows)
    lines = [(method, *(_cell(found.get((method, key))) for key in keys)) for method in methods]
    return table(("", *keys), lines)


def _cell(row: CoverageRow | None) -> str:
    if row is None:
        return ""
    off = 100.0 * abs(row.rate - row.nominal)
    text = f"{100.0 * row.rate:.1f}"
    bold = off > _POINTS and off > 100.0 * _ERRORS * row.error
    return f"{f'**{text}**' if bold else text} ({100.0 * row.error:.1f})"
