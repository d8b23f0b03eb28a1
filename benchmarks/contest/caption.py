"""The caption of the table of times: the terms of the runs that its rows come from, read off the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.contest.rows import Row

__all__ = ["caption"]


def caption(rows: Sequence[Row], own: str) -> str:
    """Say how the rows were measured, in whose favour, when, on what, and with which versions. `own` is our engine."""
    return " ".join(
        (
            "Whole calls, formula and data frame to estimates: median of warm calls and, in parentheses, the least; "
            "*once*: a single call. Engines take turns call by call, each with the number of threads "
            f"({_threads(rows)}) that a few calls before showed to suit it; the last table says which, and how many "
            f"calls were timed. *×*: how many times as long as {own}, by the medians. *Above*: how far the criterion "
            "at the engine's estimates is above the lowest known, so that the time is that of a worse answer; where "
            f"it is shorter than {own}'s, no ratio is given. *ML*: the engine has no REML and is judged by maximum "
            f"likelihood. *nnz(L)*: non-zeros of {own}'s Cholesky factor.",
            *_terms(rows),
            *_quiet(rows),
            f"{_dates(rows)}, {_machines(rows)}. {', '.join(_versions(rows))}.",
        )
    )


def _threads(rows: Sequence[Row]) -> str:
    return " or ".join(str(number) for number in sorted({row.threads for row in rows}))


def _terms(rows: Sequence[Row]) -> Iterator[str]:
    """What a run leaves out, with the seconds that decide it."""
    limits = " to ".join(f"{limit:g}" for limit in sorted({row.limit for row in rows}))
    budgets = " to ".join(f"{budget:g}" for budget in sorted({row.budget for row in rows}))
    yield (
        f"A call is given up after {limits} s (*not finished*), and after {budgets} s of an engine's calls on a "
        "problem none begins any more. *Not run*: a call was expected to take longer; the reasons are in "
        "`benchmarks/results/latest.csv`."
    )
    alone = [row for row in rows if row.seconds is not None and row.other_seconds is None]
    if alone:
        numbers = " or ".join(str(number) for number in sorted({row.threads for row in alone}))
        problems = ", ".join(dict.fromkeys(row.problem for row in alone))
        yield f"Measured with one choice of threads only ({numbers}): rows of {problems}."


def _quiet(rows: Sequence[Row]) -> Iterator[str]:
    loads = [row.load for row in rows if row.load is not None]
    if loads and max(loads) > rows[0].cores + 1:
        yield (
            f"The machine did other work at the same time (load {min(loads):g} to {max(loads):g} on {rows[0].cores} "
            "cores), which makes times longer and uneven: look at the least."
        )


def _dates(rows: Sequence[Row]) -> str:
    dates = sorted({row.date for row in rows})
    return " to ".join(dict.fromkeys((dates[0], dates[-1])))


def _machines(rows: Sequence[Row]) -> str:
    return "; ".join(dict.fromkeys(f"{row.machine}, {row.cores} cores" for row in rows))


def _versions(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(f"{row.engine} {row.version}" for row in rows if row.version is not None))
