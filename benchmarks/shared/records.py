"""Rows of results as CSV files, and the machine that they come from."""

from __future__ import annotations

import csv
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, get_args, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Record = TypeVar("Record", bound=DataclassInstance)

__all__ = ["PAGE", "README", "RESULTS", "cores", "machine", "merged", "read_rows", "write_rows"]

RESULTS = Path(__file__).parents[1] / "results"
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"  # where the tables are shown
README = Path(__file__).parents[2] / "README.md"  # with a short one


class Keyed(Protocol):
    """A row of results that one engine has on one problem."""

    @property
    def problem(self) -> str:
        """Name of the problem."""

    @property
    def engine(self) -> str:
        """Name of the engine."""


K = TypeVar("K", bound=Keyed)


def write_rows(rows: Sequence[DataclassInstance], path: Path) -> None:
    """Write `rows`, at least one, as CSV; None becomes an empty cell. An old file is replaced at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(rows[0])], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    partial.replace(path)


def read_rows(path: Path, kind: type[Record]) -> list[Record]:
    """Read the rows of the dataclass `kind` that `write_rows` wrote.

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


def merged(old: Sequence[K], new: Sequence[K], problems: Sequence[str], engines: Sequence[str]) -> list[K]:
    """Return `old` with the rows of the same problem and engine replaced by `new`, in the order of the two lists."""
    rows = {(row.problem, row.engine): row for row in (*old, *new)}
    return [rows[key] for key in ((problem, engine) for problem in problems for engine in engines) if key in rows]


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
    return text == "True" if convert is bool else convert(text)
