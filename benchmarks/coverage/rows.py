"""The rows of ``results/coverage.csv``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.coverage.measures import Shares
from benchmarks.shared.records import RESULTS

__all__ = ["OUT", "CoverageRow", "rows_of"]

OUT = RESULTS / "coverage.csv"


@dataclass(frozen=True, kw_only=True)
class CoverageRow:
    """One method in one design.

    Attributes
    ----------
    commit, date : str
        State of the package, day.
    design : str
        Short name.
    quantity, method : str
        ``coefficients`` and ``Wald, satterthwaite``, for example.
    nominal : float
        What the rate should be: .95 of intervals, .05 of tests, 1 of estimates over the truth (``recovery of ...``).
    rate, error : float
        Share of intervals that hold the truth or of tests that reject it, and its Monte-Carlo standard error: over
        replicates, within which intervals are dependent.
    replicates : int
    """

    commit: str
    date: str
    design: str
    quantity: str
    method: str
    nominal: float
    rate: float
    error: float
    replicates: int


def rows_of(design: str, found: Iterable[Shares], commit: str, date: str) -> list[CoverageRow]:
    """Average shares over replicates."""
    collected: dict[tuple[str, str], list[float]] = {}
    for shares in found:
        for key, value in shares.items():
            collected.setdefault(key, []).append(float(value))
    return [
        CoverageRow(
            commit=commit,
            date=date,
            design=design,
            quantity=quantity,
            method=method,
            nominal=_nominal(quantity),
            rate=round(float(np.mean(values)), 4),
            error=round(_error(np.array(values)), 4),
            replicates=len(values),
        )
        for (quantity, method), values in collected.items()
    ]


def _nominal(quantity: str) -> float:
    return 0.05 if quantity.startswith("test") else 1.0 if quantity.startswith("recovery") else 0.95


def _error(values: np.ndarray) -> float:
    """Standard error of the mean; of rates at 0 or 1, with one replicate more of each kind (Agresti & Coull 1998)."""
    count = len(values)
    if np.ptp(values) > 0:
        return float(values.std(ddof=1) / np.sqrt(count))
    rate = (values.sum() + 2.0) / (count + 4.0)
    return float(np.sqrt(rate * (1.0 - rate) / (count + 4.0)))
