"""The cost of a fit, to read."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mixedsparse.core.choose.candidates import Candidate, Cost
from mixedsparse.core.choose.memory import memory_text
from mixedsparse.ground.progress import duration_text

__all__ = ["CostReport"]


@dataclass(frozen=True, repr=False)
class CostReport(Cost):
    """What a fit will cost: print it, or read its fields.

    Attributes
    ----------
    n, p, q, m : int
        Observations, fixed effects, random effects, covariance parameters.
    nnz : int
        Entries of the lower triangle of Z'Z.
    eliminated, fills : str
        Grouping factor with most random effects, which is eliminated without filling in; and the one with most of the
        others, whose part of the factor fills in.
    rest : int
        Random effects of all grouping factors but the one that is eliminated.
    available : float
        Bytes of memory that a fit may take.
    seconds, memory, disk : float
        Of the search by what is chosen: bytes beyond the data and their cross-products, and bytes of temporary files.
    backend, method, reason : str
        What is chosen (``"split"``, ``"cholmod"`` or ``"iterative"``), whether that is ``"direct"`` or ``"iterative"``,
        and why, as a sentence.
    """

    @classmethod
    def of(cls, cost: Cost) -> CostReport:
        """Report `cost`."""
        return cls(**vars(cost))

    @property
    def table(self) -> pd.DataFrame:
        """A row per way to evaluate the criterion.

        Columns ``nnz`` (numbers in the factor), ``flops`` (multiply-adds of an evaluation), ``memory`` (bytes, beyond
        the data and their cross-products), ``disk`` (bytes of temporary files), ``evaluations``, ``seconds`` (of the
        search), ``counted`` (whether ``nnz`` is exact, or a bound) and ``chosen``.
        """
        columns = ["nnz", "flops", "memory", "disk", "evaluations", "seconds", "counted"]
        rows = [[getattr(c, name) for name in columns] + [c.name == self.backend] for c in self.candidates]
        return pd.DataFrame(rows, index=[c.name for c in self.candidates], columns=[*columns, "chosen"])

    def __repr__(self) -> str:
        sizes = f"{self.n:,} observations, {self.q:,} random effects, {self.m} covariance parameters"
        lines = [
            f"{name:<10}{c.nnz:>12.3g} numbers in the factor, {_room(c)}, about {duration_text(c.seconds)}"
            if c.nnz
            else f"{name:<10}{'no':>12} factor, {_room(c)}, about {duration_text(c.seconds)}"
            for name, c in ((c.name, c) for c in self.candidates)
        ]
        how = "iterative" if self.method == "iterative" else f"direct ({self.backend})"
        return "\n".join([sizes, *lines, f"Method: {how}. {self.reason}"])


def _room(candidate: Candidate) -> str:
    """Memory and, where there is any, disk, to read."""
    memory = memory_text(candidate.memory)
    return f"{memory} and {memory_text(candidate.disk)} on disk" if candidate.disk else memory
