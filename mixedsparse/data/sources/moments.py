"""Moments of the numbers of a source, taken in its database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixedsparse.data.sizes import LARGEST
from mixedsparse.data.sources.portable import count_true, is_infinite, is_nan

__all__ = ["Moments", "moments_in"]


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, standard deviation (over n) and range of a number; `truth`: whether it is 0 or 1 in all rows."""

    mean: float
    deviation: float
    low: float
    high: float
    truth: bool

    @classmethod
    def of(cls, row: Mapping[str, Any], i: str) -> Moments:
        """Moments of the i-th number from the row that the aggregates of `moments_in` give."""
        return cls(*(float(row[f"{what}{i}"]) for what in ("mean", "deviation", "low", "high")), not row[f"other{i}"])

    @property
    def size(self) -> float:
        """Largest absolute value."""
        return max(abs(self.low), abs(self.high))

    @property
    def fingerprint(self) -> tuple[float, ...]:
        """Mean, deviation and range, which equal data have alike."""
        return self.mean, self.deviation, self.low, self.high

    @property
    def may_be_binary(self) -> bool:
        """Whether the deviation is the largest for this mean and range: that of numbers with two values only."""
        widest = (self.mean - self.low) * (self.high - self.mean)
        return self.low < self.high and self.deviation**2 > (1.0 - _WIDEST) * widest


# Share of a largest variance that rounding may take.
_WIDEST = 1e-6


def moments_in(rows: Any, name: str) -> dict[str, Any]:
    """Aggregate a number of an Ibis table with a column ``complete``; other rows do not count, and have NULL."""
    value = rows[name]
    odd = is_nan(value) | is_infinite(value)
    finite = odd.ifelse(0.0, value)
    good = (finite.abs() > LARGEST).ifelse(0.0, finite)  # squares that overflow are an error in a database
    return {
        "bad": count_true(rows["complete"] & (value.isnull() | odd)),
        "mean": good.mean(),
        "deviation": good.std(how="pop"),
        "low": finite.min(),
        "high": finite.max(),
        "other": count_true((finite != 0.0) & (finite != 1.0)),
    }
