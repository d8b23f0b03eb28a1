"""The rows of ``results/beyond.csv``."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.shared.records import RESULTS

__all__ = ["OUT", "BeyondRow"]

OUT = RESULTS / "beyond.csv"


@dataclass(frozen=True, kw_only=True)
class BeyondRow:
    """One call on one file.

    Attributes
    ----------
    date, machine : str
        Day, processor.
    threads : int
        Processors that the process may use.
    version : str
        Of mixedsparse.
    problem : str
        `BigProblem.name`.
    size, n : int
        Rows that were asked for, and rows of the file.
    levels : str
        Numbers of levels of the grouping factors, joined by ``x``.
    file_mb, peak_mb : float
        Size of the file, highest resident memory of the process; 2^20 bytes.
    seconds, cpu_seconds : float
        Wall time, processor time of all threads.
    solver : str or None
        Method of the fit; None if there was none.
    evaluations : int or None
        Of the search.
    mc_share : float or None
        Largest Monte-Carlo error of an estimate over its standard error; None where every number is exact.
    """

    date: str
    machine: str
    threads: int
    version: str
    problem: str
    size: int
    n: int
    levels: str
    file_mb: float
    peak_mb: float
    seconds: float
    cpu_seconds: float
    solver: str | None
    evaluations: int | None
    mc_share: float | None
