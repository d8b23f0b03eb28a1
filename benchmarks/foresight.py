"""How well the cost that is foreseen meets the cost that is paid: ``python -m benchmarks.foresight``.

Each design is fitted by every way that its cost foresees, on one thread; the columns are evaluations, seconds of one
evaluation (foreseen, paid, and their ratio) and memory. The constants of `mixedsparse.core.choose.plan` are chosen so
that the ratios lie around 1.
"""

from __future__ import annotations

import argparse
import sys
import tracemalloc
from collections.abc import Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

import mixedsparse as ms
from mixedsparse.core.choose.candidates import Candidate
from mixedsparse.core.choose.engines import Engines
from mixedsparse.core.fitting.fit import fit_problem


def designs(seed: int = 0) -> Iterator[tuple[str, ms.LinearMixedModel]]:
    """Crossed designs of three sizes, a sparser one, and a nested chain with a crossed factor."""
    rng = np.random.default_rng(seed)
    sizes = (50_000, 2000, 800), (200_000, 8000, 2000), (1_000_000, 20_000, 4000), (60_000, 20_000, 3000)
    for n, users, items in sizes:
        yield f"{n:,} ratings, {users:,} x {items:,}", _crossed(rng, [rng.integers(0, k, n) for k in (users, items)])
    n = 120_000
    pupil = np.arange(n) // 4
    teacher = (pupil // 25 + rng.integers(0, 3, n)) % 1200
    yield "pupils x teachers in schools", _crossed(rng, [pupil, teacher, teacher // 8])


def _crossed(rng: np.random.Generator, codes: list[np.ndarray]) -> ms.LinearMixedModel:
    n = len(codes[0])
    terms = []
    y = rng.normal(size=n)
    for i, raw in enumerate(codes):
        _, code = np.unique(raw, return_inverse=True)
        terms.append(ms.RandomTerm(f"g{i}", code, np.ones(n)))
        y += 0.5 * rng.normal(size=code.max() + 1)[code]
    return ms.LinearMixedModel.from_arrays(y, np.column_stack([np.ones(n), rng.normal(size=n)]), terms)


def measure(model: ms.LinearMixedModel, candidate: Candidate, limit: float) -> str:
    """Foreseen and, up to `limit` seconds, paid, as one line."""
    foreseen = candidate.seconds / candidate.evaluations
    head = f"  {candidate.name:<10} {candidate.evaluations:>3} x {foreseen:9.3f} s {candidate.memory / 2**20:9,.0f} MiB"
    if candidate.seconds > limit:
        return head
    direct = candidate.name != "iterative"
    engine = Engines(model.problem)(candidate.name if direct else "auto", "direct" if direct else "iterative")
    fit_problem(engine, True, max_evals=1)
    fit = fit_problem(engine, True)
    paid = fit.search.seconds / fit.search.nfev
    tracemalloc.start()
    fit_problem(engine, True, max_evals=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return f"{head} | {fit.search.nfev:>3} x {paid:9.3f} s {peak / 2**20:9,.0f} MiB | {foreseen / paid:5.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every design."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foresight", description=__doc__)
    text = "what is expected to take longer is foreseen only (default 60)"
    parser.add_argument("--limit", type=float, default=60.0, metavar="SECONDS", help=text)
    limit = parser.parse_args(arguments).limit
    with threadpool_limits(1, "blas"):
        for name, model in designs():
            print(f"{name}: {model.cost().reason}")
            for candidate in model.cost().candidates:
                print(measure(model, candidate, limit), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
