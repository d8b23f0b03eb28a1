"""The row of results that one engine has on one generalized problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.shared.contestants import Origin
from benchmarks.shared.records import RESULTS

__all__ = ["OUT", "OWN", "GeneralizedRow", "judged"]

OUT = RESULTS / "generalized.csv"
OWN = "mixedsparse"


@dataclass(frozen=True, kw_only=True)
class GeneralizedRow(Origin):
    """What one engine did on one problem. Fields after `repetitions` are None where `error` is set.

    Parameters
    ----------
    q, n_parameters : int
        Random effects, parameters of the model.
    repetitions : int
        Timed calls.
    cpu_seconds, cpu_seconds_min : float
        Processor time of a call with standard errors, one thread: median and least.
    seconds : float
        Wall time, median: of little meaning on a machine that does other things too.
    evaluations : int
        Evaluations of the criterion, as the engine counts them; None where it does not.
    criterion : float
        -2 log-likelihood by Laplace's approximation at the engine's estimates, computed alike for all engines.
    reported : float
        What the engine itself says its -2 log-likelihood is; None where it says nothing.
    excess : float
        `criterion` minus the lowest known.
    peak_mb : float
        Highest resident memory of the process during the fits, in units of 2**20 bytes.
    error : str
        Why there are no numbers.
    """

    q: int
    n_parameters: int
    repetitions: int
    cpu_seconds: float | None = None
    cpu_seconds_min: float | None = None
    seconds: float | None = None
    evaluations: int | None = None
    criterion: float | None = None
    reported: float | None = None
    excess: float | None = None
    peak_mb: float | None = None
    error: str | None = None


def judged(rows: Sequence[GeneralizedRow]) -> list[GeneralizedRow]:
    """Fill in `excess`: the criterion minus the lowest among `rows` of the same problem."""
    best: dict[str, float] = {}
    for row in rows:
        if row.criterion is not None:
            best[row.problem] = min(row.criterion, best.get(row.problem, row.criterion))
    return [row if row.criterion is None else replace(row, excess=row.criterion - best[row.problem]) for row in rows]
