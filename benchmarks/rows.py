"""Rows of results, and the CSV files that hold them."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

__all__ = [
    "COLD",
    "CRITERION_TOLERANCE",
    "RESULTS",
    "ColdRow",
    "Row",
    "cores",
    "machine",
    "read_rows",
    "write_rows",
]

RESULTS = Path(__file__).parent / "results" / "latest.csv"
COLD = RESULTS.with_name("cold.csv")

# Excess over the best criterion from which an engine counts as stopped above the optimum. Engines agree to
# 1e-6 where they converge; the stops seen in practice are 0.02 to 40.
CRITERION_TOLERANCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one engine did on one problem. Fields after `repetitions` are None where `error` is set.

    Parameters
    ----------
    date, machine : str
        Day of the run (ISO 8601), model of the processor.
    cores : int
        Logical processors.
    problem, engine, version : str
        Names of problem and engine; version of the engine with its runtime, None if it never started.
    n, q, p, n_theta : int
        Rows, random effects, fixed effects, covariance parameters.
    threads : int
        Threads allowed to BLAS and to the engine's own loops.
    repetitions : int
        Timed calls.
    seconds, seconds_min, seconds_max : float
        Median, least and greatest wall time of one whole call.
    cpu_seconds : float
        Median processor time of one whole call, over all threads.
    evaluations : int
        Evaluations of the criterion, as the engine counts them.
    criterion : float
        REML criterion or -2 log-likelihood at the engine's solution.
    excess : float
        `criterion` minus the lowest known, over all engines of the run and the problem table.
    peak_mb : float
        Highest resident memory of the process during the fits, in units of 2**20 bytes.
    error : str
        Why there are no numbers.
    """

    date: str
    machine: str
    cores: int
    problem: str
    engine: str
    version: str | None
    n: int
    q: int
    p: int
    n_theta: int
    threads: int
    repetitions: int
    seconds: float | None = None
    seconds_min: float | None = None
    seconds_max: float | None = None
    cpu_seconds: float | None = None
    evaluations: int | None = None
    criterion: float | None = None
    excess: float | None = None
    peak_mb: float | None = None
    error: str | None = None

    @property
    def stops_above(self) -> bool:
        """Whether the engine's solution is not the best known one."""
        return self.excess is not None and self.excess > CRITERION_TOLERANCE


@dataclass(frozen=True, kw_only=True)
class ColdRow:
    """Median, least and greatest `seconds` of one measure of start-up over new processes."""

    date: str
    machine: str
    measure: str
    repetitions: int
    seconds: float
    seconds_min: float
    seconds_max: float


Record = TypeVar("Record", Row, ColdRow)


def write_rows(rows: Sequence[Record], path: Path) -> None:
    """Write `rows`, at least one, as CSV; None becomes an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path, kind: type[Record]) -> list[Record]:
    """Read the rows of class `kind` that `write_rows` wrote.

    Raises
    ------
    ValueError
        The columns are not the fields of `kind`.
    """
    names = [field.name for field in fields(kind)]
    types = get_type_hints(kind)
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != names:
            raise ValueError(f"{path} has the columns {reader.fieldnames}, expected {names}. Run the benchmarks again.")
        return [kind(**{name: _parse(text, types[name]) for name, text in record.items()}) for record in reader]


def machine() -> str:
    """Return the model name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """Return the number of logical processors."""
    return os.cpu_count() or 1


def _parse(text: str, annotation: Any) -> Any:
    """Convert a cell to the first type of an annotation such as ``int`` or ``float | None``."""
    if text == "":
        return None
    convert = get_args(annotation)[0] if get_args(annotation) else annotation
    return convert(text)
