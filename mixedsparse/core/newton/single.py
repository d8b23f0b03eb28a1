"""The loop of every search for one optimum: trust-region Newton from an evaluated point.

What is minimised, by which step, and when an end is near enough are an `Objective`'s: the criterion of a linear model
by an exact engine, its score by random probes, or the likelihood of a generalized model. How far steps go, which are
taken and when it is over is said in `control`, also for the many small searches in step of `batched`.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Protocol, TypeVar

from mixedsparse.core.newton.control import FIRST_RADIUS, SMALLEST_RADIUS, ends, judge
from mixedsparse.core.newton.trust import Step

__all__ = ["Objective", "Stop", "minimise"]


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

    def refined(self, at: P, step: Step, stop: Stop | None) -> P | None:
        """Know the same point better, where the search would `stop` there or is slow; None where it need not be."""
        ...

    def is_lost(self, at: P) -> bool:
        """Whether this way leads nowhere, so that the search is left."""
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
    """Search from `at`; returns the last point with derivatives, Newton's step there and why it ended.

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
            enough, noise = objective.accuracy(at)
            stuck, near = ends(step.predicted, enough, step.limited, radius, smallest)
            spent = objective.nfev >= max_evals
            stop = Stop.NO_PROGRESS if stuck else Stop.CONVERGED if near else Stop.MAX_EVALS if spent else None
            better = objective.refined(at, step, stop)
            if better is not None:
                at, fresh = better, False
                continue
            if stop is not None or objective.is_lost(at):
                return at, step, stop or Stop.NO_PROGRESS
            length = step.length
            trial = objective.attempt(at, step)
            gain = -math.inf if trial is None else objective.gain(at, trial, step)
            fresh, radius = judge(gain, step.predicted, noise, length, step.limited, radius)
            if fresh and trial is not None:
                reached = objective.accept(at, trial, step)
                if not reached.finite:
                    return at, step, Stop.NOT_FINITE
                at = reached
    except KeyboardInterrupt:
        if not interruptible:
            raise
        return at, objective.step(at, radius), Stop.INTERRUPTED
