"""The findings as rows of a CSV file and as a table of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.fuzz import files, generalized_models, inputs, models, processes
from benchmarks.fuzz.attempt import Finding
from benchmarks.shared.records import RESULTS
from benchmarks.shared.text import table

__all__ = ["BEGIN", "END", "OUT", "FuzzRow", "count", "render"]

OUT = RESULTS / "fuzz.csv"
BEGIN = "<!-- fuzz table: begin -->"
END = "<!-- fuzz table: end -->"
ASKED = {
    **{room.KIND: room.CHECKS for room in (models, generalized_models, inputs, files)},
    **processes.CHECKS,
}


@dataclass(frozen=True)
class FuzzRow:
    """One check of one kind.

    Parameters
    ----------
    kind, check, asked : str
        What was tried, and what must hold.
    tried, held : int
    """

    kind: str
    check: str
    asked: str
    tried: int
    held: int


def count(findings: Iterable[Finding]) -> list[FuzzRow]:
    """Add up findings by kind and check, in the order of the tables of checks."""
    tried: dict[tuple[str, str], int] = {}
    held: dict[tuple[str, str], int] = {}
    for found in findings:
        key = found.kind, found.check
        tried[key] = tried.get(key, 0) + 1
        held[key] = held.get(key, 0) + (not found.fault)
    return [
        FuzzRow(kind, check, asked, tried[kind, check], held[kind, check])
        for kind, checks in ASKED.items()
        for check, asked in checks.items()
        if (kind, check) in tried
    ]


def render(rows: Sequence[FuzzRow]) -> str:
    """Return the table of the page."""
    lines = []
    for row in rows:
        first = row.kind if row.check == next(iter(ASKED[row.kind])) else ""
        lines.append((f"{first} | {row.asked}", f"{row.tried:,}", f"{row.held:,}"))
    body = table(("kind | what must hold", "tried", "held"), lines)
    return body.replace("| --- |", "| --- | --- |", 1)
