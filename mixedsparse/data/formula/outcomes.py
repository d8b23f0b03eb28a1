"""How the response of a generalized model was read, and further rows read in the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.kinds import numbers
from mixedsparse.ground.errors import DataError

__all__ = ["Outcome", "read_outcome"]


@dataclass(frozen=True)
class Outcome:
    """How a response was read, for further rows.

    Attributes
    ----------
    kind : {"numbers", "levels", "pairs", "counts", "proportions"}
        ``"levels"``: two of them, the failure first; ``"pairs"``: successes and failures; ``"counts"`` and
        ``"proportions"``: successes out of trials.
    levels : tuple
    prior : str or None
        Column of the trials or the prior weights.
    """

    kind: str = "numbers"
    levels: tuple[Any, ...] = ()
    prior: str | None = None

    def with_prior(self, given: Any) -> Outcome | None:
        """Add what a call gave; None for an array, which says nothing of further rows."""
        return replace(self, prior=given) if given is None or isinstance(given, str) else None


def read_outcome(values: Any, label: str, outcome: Outcome, prior: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Response of further rows as the family has it, (n,), and trials or prior weights, where the fit had its `prior`.

    Raises
    ------
    DataError
        A response of two levels has another one.
    """
    what = f"The response {label!r}"
    if outcome.kind == "pairs":
        counts = numbers(values, what)
        m = counts.sum(axis=1)
        return counts[:, 0] / m, m
    if outcome.kind == "levels":
        codes = pd.Index(list(outcome.levels)).get_indexer(pd.Index(np.asarray(values)))
        if (codes < 0).any():
            other = np.asarray(values)[codes < 0][0]
            raise DataError(f"{what} has the level {other!r}, and the fit has {list(map(str, outcome.levels))} only.")
        return codes.astype(float), np.ones(len(codes))
    y = numbers(values, what)
    m = np.ones(len(y)) if prior is None else prior
    return (y / m if outcome.kind == "counts" else y), m
