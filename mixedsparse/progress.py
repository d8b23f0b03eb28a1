"""Progress of a search, line by line."""

from __future__ import annotations

import sys
from collections.abc import Callable

from mixedsparse.core.optimize import Iteration

__all__ = ["ProgressOption", "reporter"]

ProgressOption = bool | Callable[[Iteration], None] | None


def reporter(progress: ProgressOption) -> Callable[[Iteration], None] | None:
    """Turn the `progress` argument of a fit into a function of an `Iteration`: True prints to stderr."""
    if callable(progress):
        return progress
    return _print_iteration if progress else None


def _print_iteration(line: Iteration) -> None:
    print(
        f"iteration {line.number:3d}  evaluations {line.nfev:4d}  criterion {line.criterion:.6f}  "
        f"gradient {line.gradient:.2e}  step {line.step:.2e}",
        file=sys.stderr,
        flush=True,
    )
