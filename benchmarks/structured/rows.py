"""The row of results that one program has on one structured model, and the results beside what was aimed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.shared import text
from benchmarks.shared.contestants import Origin
from benchmarks.shared.records import RESULTS
from benchmarks.structured.problems import PROBLEMS, StructuredProblem

__all__ = ["OUT", "OWN", "StructuredRow", "bars", "render"]

OUT = RESULTS / "structured.csv"
OWN = "mixedsparse"
# Criterion above the lowest of a problem from which a cell says so: REML likelihoods of R's programs are rounded below.
WORTH_SAYING = 1e-4
NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class StructuredRow(Origin):
    """What one program did on one problem. Fields after `repetitions` are None where `error` is set.

    Parameters
    ----------
    n_parameters, repetitions : int
        Parameters, timed calls.
    cpu_seconds, cpu_seconds_min : float
        Processor time of a call with standard errors, one thread: median and least.
    evaluations : int
        Evaluations of the criterion, as the program counts them; None where it does not.
    criterion : float
        -2 times the (restricted) log-likelihood that the program itself reports.
    error : str
        Why there are no numbers.
    """

    n_parameters: int
    repetitions: int
    cpu_seconds: float | None = None
    cpu_seconds_min: float | None = None
    evaluations: int | None = None
    criterion: float | None = None
    error: str | None = None


Found = dict[tuple[str, str], StructuredRow]


def render(rows: Sequence[StructuredRow], problems: Sequence[StructuredProblem] = PROBLEMS) -> str:
    """Return the caption and the table of processor times."""
    if not rows:
        raise ValueError("There are no results to tabulate. Run 'python -m benchmarks.structured' first.")
    found = {(row.problem, row.engine): row for row in rows}
    programs = list(dict.fromkeys(name for problem in problems for name in problem.programs))
    lines = []
    for problem in problems:
        own = found.get((problem.name, OWN))
        if own is None or own.cpu_seconds_min is None:
            continue
        model = problem.formula + "".join(f", {name}={value!r}" for name, value in problem.options.items())
        cells = [_cell(problem, name, found) for name in programs]
        start = [f"`{model.replace('|', chr(92) + '|')}`", f"{own.n:,}", own.n_parameters, own.evaluations]
        lines.append([*start, text.seconds(own.cpu_seconds_min), *cells])
    table = text.table(["model", "rows", "parameters", "our evaluations", OWN, *programs], lines)
    versions = dict.fromkeys(f"{row.engine} {row.version}" for row in rows if row.version is not None)
    loads = [row.load for row in rows]
    caption = (
        "Whole calls, formula and data frame (and pedigree) to estimates with standard errors by REML: least processor "
        "time of warm calls on one thread, programs in turn. *×*: how many times as long as mixedsparse. *Above*: how "
        "far -2 log L, as the program reports it, is above the lowest of the line. lme4 has Z replaced by hand for "
        "roles; none of these programs fits the pedigrees. The machine did other work at the same time (load "
        f"{min(loads):g} to {max(loads):g} on {rows[0].cores} cores), which makes processor times longer and uneven, "
        f"hence the least of several. {max(row.date for row in rows)}, {rows[0].machine}. {', '.join(versions)}."
    )
    return f"{caption}\n\n{table}"


def bars(rows: Sequence[StructuredRow], problems: Sequence[StructuredProblem] = PROBLEMS) -> list[str]:
    """Return a line for every bar whose problem has been measured: what was aimed at, what is reached."""
    found: Found = {(row.problem, row.engine): row for row in rows}
    lines = []
    for problem in problems:
        own = found.get((problem.name, OWN))
        if own is None or own.cpu_seconds_min is None:
            continue
        for program, bar in problem.bars.items():
            ratio = _ratio(problem, program, found)
            if ratio is not None:
                lines.append(f"{problem.name}, {program}: {ratio:.1f}×, bar {bar:g}×, {_met(ratio >= bar)}")
        if problem.seconds is not None:
            reached = text.seconds(own.cpu_seconds_min)
            aim = text.seconds(problem.seconds)
            lines.append(f"{problem.name}: {reached}, bar {aim}, {_met(own.cpu_seconds_min <= problem.seconds)}")
        if problem.evaluations is not None and own.evaluations is not None:
            met = _met(own.evaluations <= problem.evaluations)
            lines.append(f"{problem.name}: {own.evaluations} evaluations, bar {problem.evaluations}, {met}")
    return lines


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _ratio(problem: StructuredProblem, program: str, found: Found) -> float | None:
    own, rival = found.get((problem.name, OWN)), found.get((problem.name, program))
    if own is None or rival is None or own.cpu_seconds_min is None or rival.cpu_seconds_min is None:
        return None
    return rival.cpu_seconds_min / own.cpu_seconds_min


def _cell(problem: StructuredProblem, program: str, found: Found) -> str:
    row, ratio = found.get((problem.name, program)), _ratio(problem, program, found)
    if row is None:
        return NOTHING
    if ratio is None or row.cpu_seconds_min is None:
        return "failed"
    criteria = [r.criterion for (name, _), r in found.items() if name == problem.name and r.criterion is not None]
    above = 0.0 if row.criterion is None else row.criterion - min(criteria)
    late = f", {above:.2g} above" if above > WORTH_SAYING else ""
    return f"{text.seconds(row.cpu_seconds_min)}{late}, {text.ratio(ratio)}"
