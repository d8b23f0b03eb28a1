"""Successes and failures as a proportion with its number of trials, for engines that know no ``cbind``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["as_proportion"]

CBIND = re.compile(r"^cbind\((\w+), (\w+)\)")


def as_proportion(formula: str, frame: pd.DataFrame) -> tuple[str, tuple[pd.DataFrame, str | None]]:
    """Return formula, and frame with the name of the column of trials; None where the response is no ``cbind``."""
    found = CBIND.match(formula)
    if found is None:
        return formula, (frame, None)
    successes, failures = (frame[name] for name in found.groups())
    trials = (successes + failures).astype(float)
    return CBIND.sub("proportion", formula), (frame.assign(proportion=successes / trials, trials=trials), "trials")
