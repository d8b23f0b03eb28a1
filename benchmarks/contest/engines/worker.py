"""The worker process of the Python engines. Runs in a rival's environment: needs only pandas."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.base import Job, Reply
from benchmarks.shared.serving import Clocked, Spell, plainly, serve_calls

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Estimates", "relative_factor", "serve"]


@dataclass(frozen=True)
class Estimates:
    """What must be known at the end of a timed call, in Python numbers; see `Reply`."""

    criterion: float
    evaluations: int | None
    theta: list[float]
    beta: list[float]


def serve(
    fit: Callable[[Any, Any, bool], Estimates],
    version: str,
    spell: Spell = plainly,
) -> None:
    """Load the job named by the command line, then fit it once for every line ``fit`` on standard input.

    Parameters
    ----------
    fit : callable
        Whole call of the engine: formula, data, REML or not.
    version : str
        Version for the results.
    spell : callable
        What the engine takes in place of formula and data frame, where it takes something else. Not timed.
    """
    job = Job.from_arguments(sys.argv[1:])

    def call(model: Any, data: Any) -> Estimates:
        return fit(model, data, job.reml)

    serve_calls(job.data, job.factors, job.formula, version, spell, call, _reply)


def relative_factor(covariance: np.ndarray) -> list[float]:
    """Return the lower triangle, column by column, of L with L L' = `covariance`, which may be singular."""
    import numpy as np

    values, vectors = np.linalg.eigh(covariance)
    upper = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r")
    return [float(upper[j, i]) for j in range(len(upper)) for i in range(j, len(upper))]


def _reply(estimates: Estimates, clocked: Clocked) -> Reply:
    return Reply(
        seconds=clocked.seconds,
        cpu_seconds=clocked.cpu_seconds,
        evaluations=estimates.evaluations,
        criterion=estimates.criterion,
        theta=estimates.theta,
        p=len(estimates.beta),
        peak_mb=clocked.peak_mb,
    )
