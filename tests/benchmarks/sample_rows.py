"""Rows of results for tests."""

from dataclasses import replace

from benchmarks.contest.rows import Row


def row(problem: str, engine: str, seconds: float | None, **changes: object) -> Row:
    """Return a row with `seconds` and `changes`, and plausible numbers elsewhere."""
    base = Row(
        date="2026-11-21",
        machine="Test CPU",
        cores=2,
        problem=problem,
        engine=engine,
        version={"mixedsparse": "0.1.0 (Python 3.12.1)", "lme4": "1.1-31 (R 4.2.2)"}.get(engine, "1.3.0"),
        method="REML",
        n=180,
        q=36,
        p=2,
        n_theta=3,
        nnz_L=None,
        threads=2,
        repetitions=3,
        limit=600.0,
        budget=300.0,
        load=1.2,
        seconds=seconds,
        seconds_min=seconds,
        seconds_max=seconds,
        cpu_seconds=seconds,
        evaluations=9,
        criterion=100.0,
        reported=100.0,
        excess=0.0,
        peak_mb=150.4,
    )
    return replace(base, **changes)
