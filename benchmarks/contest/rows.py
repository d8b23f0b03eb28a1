"""The row of results that one engine has on one problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.shared.records import RESULTS

__all__ = ["CANNOT", "CRITERION_TOLERANCE", "LATEST", "NOT_FINISHED", "NOT_RUN", "Row", "judged", "merged"]

LATEST = RESULTS / "latest.csv"

# Excess over the best criterion from which an engine counts as stopped above the optimum. Engines agree to
# 1e-6 where they converge; the stops seen in practice are 0.02 to 40.
CRITERION_TOLERANCE = 1e-3

# How an `error` begins that is no failure: a model beyond the engine, a call beyond the time of the run.
CANNOT = "cannot express: "
NOT_RUN = "not run: "
# How the error of a call begins that was given up; its seconds follow.
NOT_FINISHED = "not finished within "


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one engine did on one problem. Fields after `load` are None where `error` is set.

    Parameters
    ----------
    date, machine : str
        Day of the run (ISO 8601), model of the processor.
    cores : int
        Logical processors.
    problem, engine, version : str
        Names of problem and engine; version of the engine with its runtime, None if it never started.
    method : str
        Criterion that was fitted, "REML" or "ML". An engine without REML fits, and is judged by, ML throughout.
    n, q, p, n_theta : int
        Rows, random effects, fixed effects, covariance parameters.
    nnz_L : int
        Non-zeros of the Cholesky factor of M(theta), for mixedsparse only; see `judge.factor_nonzeros`.
    threads : int
        Threads allowed to BLAS and to the engine's own loops: of the numbers tried, the one with the fastest call.
    repetitions : int
        Timed calls.
    limit, budget : float
        Seconds after which a call is given up, and after which none of the engine's on the problem begins any more.
    load : float
        Processes that wanted a processor, the benchmark's own included: mean of the minute before the row.
    seconds, seconds_min, seconds_max : float
        Median, least and greatest wall time of one whole call.
    cpu_seconds : float
        Median processor time of one whole call, over all threads.
    evaluations : int
        Evaluations of the criterion, as the engine counts them; None also where it does not.
    criterion : float
        REML criterion or -2 log-likelihood at the engine's variance estimates, computed alike for all engines.
    reported : float
        What the engine itself says its criterion is.
    excess : float
        `criterion` minus the lowest known by the same `method`, over all engines and the problem table.
    peak_mb : float
        Highest resident memory of the process during the fits, in units of 2**20 bytes.
    other_seconds : float
        Least wall time of a call with the other number of threads, of the few that were tried; None if none was.
    table_seconds, table_seconds_min : float
        Median and least wall time of a whole call that ends with a printed table of fixed effects.
    table_repetitions : int
        How many of these were timed.
    df : str
        What that table tests with; see `engines.base.TableReply`.
    table_error : str
        Why there is no such table.
    error : str
        Why there are no numbers; begins with `CANNOT` or `NOT_RUN` where that is no failure.
    """

    date: str
    machine: str
    cores: int
    problem: str
    engine: str
    version: str | None
    method: str
    n: int
    q: int
    p: int
    n_theta: int
    nnz_L: int | None
    threads: int
    repetitions: int
    limit: float
    budget: float
    load: float | None
    seconds: float | None = None
    seconds_min: float | None = None
    seconds_max: float | None = None
    cpu_seconds: float | None = None
    evaluations: int | None = None
    criterion: float | None = None
    reported: float | None = None
    excess: float | None = None
    peak_mb: float | None = None
    other_seconds: float | None = None
    table_seconds: float | None = None
    table_seconds_min: float | None = None
    table_repetitions: int | None = None
    df: str | None = None
    table_error: str | None = None
    error: str | None = None

    @property
    def stops_above(self) -> bool:
        """Whether the engine's solution is not the best known one."""
        return self.excess is not None and self.excess > CRITERION_TOLERANCE


def merged(old: Sequence[Row], new: Sequence[Row], problems: Sequence[str], engines: Sequence[str]) -> list[Row]:
    """Return `old` with the rows of the same problem and engine replaced by `new`, in the order of the two lists."""
    rows = {(row.problem, row.engine): row for row in (*old, *new)}
    return [rows[key] for key in ((problem, engine) for problem in problems for engine in engines) if key in rows]


def judged(rows: Sequence[Row], best_known: Mapping[tuple[str, str], float]) -> list[Row]:
    """Fill in `excess`: the criterion minus the lowest known by the same method.

    Parameters
    ----------
    rows : sequence of Row
        A row that has an `excess` already knows of a best criterion that others may not know of.
    best_known : mapping (problem, method) -> float
        Lowest criteria known from elsewhere.
    """
    best = dict(best_known)
    for row in rows:
        if row.criterion is not None:
            key = row.problem, row.method
            best[key] = min(row.criterion - max(row.excess or 0.0, 0.0), best.get(key, row.criterion))
    return [
        row if row.criterion is None else replace(row, excess=row.criterion - best[row.problem, row.method])
        for row in rows
    ]
