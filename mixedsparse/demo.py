"""Fit 73,421 lecture ratings with three crossed factors, and say how long it took.

Run with ``make demo`` or ``python -m mixedsparse.demo``.
"""

from __future__ import annotations

import time

__all__ = ["main"]

FORMULA = "y ~ service + (1 | s) + (1 | d) + (1 | dept)"


def main() -> None:
    """Fit InstEval and print the summary, the seconds and the evaluations of the criterion."""
    import mixedsparse as ms

    ratings = ms.datasets.load("InstEval")
    print(f"Fitting {FORMULA} to {len(ratings):,} ratings ...\n")
    start = time.perf_counter()
    fit = ms.lmer(FORMULA, ratings)
    seconds = time.perf_counter() - start
    print(fit.summary())
    print(f"\nFitted in {seconds:.2f} s, with {fit.optim.nfev} evaluations of the criterion.")


if __name__ == "__main__":
    main()
