"""The loop of every search for one optimum: trust-region Newton from an evaluated point.

What is minimised, by which step, and when an end is near enough are an `Objective`'s: the criterion of a linear model
by an exact engine, its score by random probes, or the likelihood of a generalized model. Many small searches in step
go by the same rules in `batched`.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Protocol, TypeVar

from mixedsparse.core.newton.trust import Step, is_taken, next_radius

__all__ = ["FIRST_RADIUS", "SMALLEST_RADIUS", "Objective", "Stop", "minimise"]

# First radius, in whitened theta: moment estimates are rarely further off. The radius below which no progress is made.
FIRST_RADIUS, SMALLEST_RADIUS = 0.5, 1e-6


class Stop(Enum):
    """Why the search ended."""

    CONVERGED = "converged"
    MAX_EVALS = "the limit on evaluations was reached"
    NO_PROGRESS = "no step lowers the criterion"
    NOT_FINITE = "the derivatives are not finite"
    INTERRUPTED = "it was interrupted"


class Differentiated(Protocol):
    """A point with derivatives."""

    @property
    def finite(self) -> bool:
        """Whether all of them are finite."""
        ...


P = TypeVar("P", bound=Differentiated)
# What an evaluation gives, before derivatives.
T = TypeVar("T")


class Objective(Protocol[P, T]):
    """What a search minimises, and how; `nfev` counts evaluations."""

    nfev: int

    def step(self, at: P, radius: float) -> Step:
        """Newton's step within `radius`."""
        ...

    def note(self, at: P, step: Step, length: float) -> None:
        """Record a point that was reached by a step of `length`."""
        ...

    def accuracy(self, at: P) -> tuple[float, float]:
        """Fall of the criterion that is not worth a step, and the rounding noise of the criterion."""
        ...

    def refined(self, at: P, step: Step) -> P | None:
        """Know the same point better, where `step` is so short that this matters; None where it need not be."""
        ...

    def attempt(self, at: P, step: Step) -> T | None:
        """Evaluate the end of a step; None where that cannot be done."""
        ...

    def gain(self, at: P, trial: T, step: Step) -> float:
        """Fall of the criterion over a step."""
        ...

    def accept(self, at: P, trial: T, step: Step) -> P:
        """Take a step: its end with derivatives."""
        ...


def minimise(
    objective: Objective[P, T],
    at: P,
    max_evals: int,
    *,
    radius: float = FIRST_RADIUS,
    smallest: float = SMALLEST_RADIUS,
    interruptible: bool = False,
) -> tuple[P, Step, Stop]:
    """Search from `at`; returns the last point, Newton's step there and why the search ended.

    Parameters
    ----------
    objective : Objective
    at : point with derivatives
    max_evals : int
        Limit on `objective.nfev`.
    radius, smallest : float
        First radius, and the one below which a search that it limits makes no progress.
    interruptible : bool
        Whether a KeyboardInterrupt ends the search where it is instead of being raised.
    """
    length, fresh = 0.0, True
    try:
        while True:
            step = objective.step(at, radius)
            if fresh:
                objective.note(at, step, length)
            # Tested first: a radius that shrank to nothing makes any promised fall small, which is no convergence.
            if step.limited and radius < smallest:
                return at, step, Stop.NO_PROGRESS
            better = objective.refined(at, step)
            if better is not None:
                at, fresh = better, False
                continue
            enough, noise = objective.accuracy(at)
            if step.predicted <= enough:
                return at, step, Stop.CONVERGED
            if objective.nfev >= max_evals:
                return at, step, Stop.MAX_EVALS
            length = step.length
            trial = objective.attempt(at, step)
            gain = -math.inf if trial is None else objective.gain(at, trial, step)
            radius = next_radius(radius, gain / step.predicted, length, step.limited)
            fresh = bool(is_taken(gain, step.predicted, noise))
            if fresh and trial is not None:
                at = objective.accept(at, trial, step)
                if not at.finite:
                    return at, step, Stop.NOT_FINITE
    except KeyboardInterrupt:
        if not interruptible:
            raise
        return at, objective.step(at, radius), Stop.INTERRUPTED
