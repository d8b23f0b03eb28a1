"""The worker process of the Python engines. Runs in a rival's environment: needs only pandas."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.base import Job, Reply, TableReply
from benchmarks.shared.serving import Clocked, Order, Spell, plainly, serve_calls

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Estimates", "Printed", "relative_factor", "serve"]


@dataclass(frozen=True)
class Estimates:
    """What must be known at the end of a timed call, in Python numbers; see `Reply`."""

    criterion: float
    evaluations: int | None
    theta: list[float]
    beta: list[float]


@dataclass(frozen=True)
class Printed:
    """The text of a table of fixed effects with standard errors, and what it tests with; see `TableReply`."""

    text: str
    df: str


def serve(
    fit: Callable[[Any, Any, bool], Estimates],
    table: Callable[[Any, Any, bool], Printed],
    version: str,
    spell: Spell = plainly,
) -> None:
    """Load the job named by the command line, then fit it once for every line ``fit`` or ``table`` of the input.

    Parameters
    ----------
    fit : callable
        Whole call of the engine to its estimates: formula, data, REML or not.
    table : callable
        Likewise to a printed table.
    version : str
        Version for the results.
    spell : callable
        What the engine takes in place of formula and data frame, where it takes something else. Not timed.
    """
    job = Job.from_arguments(sys.argv[1:])

    def to_estimates(model: Any, data: Any) -> Estimates:
        return fit(model, data, job.reml)

    def to_table(model: Any, data: Any) -> Printed:
        return table(model, data, job.reml)

    orders = {"fit": Order(to_estimates, _reply), "table": Order(to_table, _table_reply)}
    serve_calls(job.data, job.factors, job.formula, version, spell, orders)


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


def _table_reply(printed: Printed, clocked: Clocked) -> TableReply:
    if not any(character.isdigit() for character in printed.text):
        raise ValueError("the table has no numbers")
    return TableReply(clocked.seconds, clocked.cpu_seconds, printed.df)
