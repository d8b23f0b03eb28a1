"""Blocks of bootstrap replicates: estimates from responses or rows that are drawn anew."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from mixedsparse.core.batch.draws import Sampler, parametric_sampler, residual_sampler
from mixedsparse.core.batch.responses import Projector
from mixedsparse.core.fitting.replicate import Refitter
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning, MixedSparseError, MixedSparseWarning, OptionError
from mixedsparse.ground.progress import CountOption, counter
from mixedsparse.ground.threads import blas_threads
from mixedsparse.inference.parameters import parameter_values, parameters
from mixedsparse.inference.responses import fit_response, response_from
from mixedsparse.inference.workers import WorkersLostError, work_off

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = [
    "Block",
    "NewResponses",
    "Replicator",
    "Statistic",
    "as_it_is",
    "estimates_of",
    "evaluate",
    "in_tasks",
    "run_blocks",
]

# Numbers of the responses of one block, and replicates of one block: results do not depend on how work is shared out.
_BLOCK_NUMBERS = 2_000_000
_LARGEST_BLOCK = 125
_ALONE_BLOCK = 5
# The first task is this many times smaller than the others.
_FIRST_SHARE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Values (b, columns) of b replicates, NaN where one failed; and why, by position in the block."""

    values: np.ndarray
    failures: dict[int, str]


class Replicator(Protocol):
    """Makes blocks of replicates from seeds; it is sent to the workers."""

    size: int

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """One replicate per seed."""
        ...


def as_it_is(fitted: Fitted) -> Any:
    """Give functions of the user the fit without labels."""
    return fitted


class Statistic:
    """A function of results, evaluated to named numbers.

    Parameters
    ----------
    function : callable
        Takes what `wrap` makes, returns a number, an array, a dict or a Series.
    wrap : callable
        Makes what the user knows as results of a `Fitted`.
    fitted : Fitted
        The fit itself: tells the names, and shows mistakes at once.
    """

    def __init__(self, function: Callable[[Any], Any], wrap: Callable[[Fitted], Any], fitted: Fitted) -> None:
        self.function, self.wrap = function, wrap
        original = function(wrap(fitted))
        if isinstance(original, Mapping | pd.Series):
            self.names = [str(name) for name in original.keys()]  # noqa: SIM118 - a Series iterates over its values
        elif np.ndim(original) == 0:
            self.names = ["statistic"]
        else:
            self.names = [f"statistic[{i}]" for i in range(np.size(original))]
        self.original = self._numbers(original)

    def _numbers(self, value: Any) -> np.ndarray:
        if isinstance(value, Mapping):
            value = list(value.values())
        try:
            out = np.asarray(value, dtype=float).ravel()
        except (TypeError, ValueError) as err:
            raise OptionError(
                f"statistic returned {type(value).__name__}: let it return a number, an array, a dict or a Series."
            ) from err
        if len(out) != len(self.names):
            raise OptionError(f"statistic returned {len(out)} numbers, but {len(self.names)} for the fit itself.")
        return out

    def __call__(self, fitted: Fitted) -> np.ndarray:
        """Return the numbers for `fitted`."""
        return self._numbers(self.function(self.wrap(fitted)))


def estimates_of(fitted: Fitted) -> np.ndarray:
    """Values of all parameters at the estimates of one fit."""
    covariances = [fitted.covariance(t)[None] for t in range(len(fitted.problem.terms))]
    scale = fitted.scale_parameter
    sigma = np.array([1.0 if scale is None else scale[1]])
    return parameter_values(parameters(fitted), fitted.fit.beta[None], covariances, sigma)[0]


class NewResponses:
    """Replicates with a new response: all share the analysis and every cross-product without y."""

    def __init__(self, fitted: Fitted, kind: str, statistic: Statistic | None) -> None:
        self.fitted, self.kind, self.statistic = fitted, kind, statistic
        self.known = parameters(fitted)
        self.refitter = Refitter(fitted.model.engine(), fitted.fit)
        # A statistic refits every response and may take as long as it likes.
        largest = _LARGEST_BLOCK if self.refitter.together and statistic is None else _ALONE_BLOCK
        self.size = max(1, min(largest, _BLOCK_NUMBERS // fitted.nobs))
        self.projector = Projector(fitted.problem)

    def _sampler(self) -> Sampler:
        problem, fit = self.fitted.problem, self.fitted.fit
        if self.kind == "parametric":
            return parametric_sampler(problem, fit)
        return residual_sampler(problem, fit, self.fitted.residuals)

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """See `Replicator`."""
        fit, engine = self.fitted.fit, self.refitter.engine
        moved = self._sampler()(seeds)
        with blas_threads(engine.work):
            responses, Qy = self.projector(moved)
            refits = self.refitter(responses)
        beta = fit.beta + self.projector.coefficients(refits.gamma + Qy)
        values = parameter_values(self.known, beta, refits.covariances, refits.sigma)
        failures = dict(refits.failures)
        if self.statistic is not None:
            extra = np.full((len(seeds), len(self.statistic.names)), np.nan)
            for i in range(len(seeds)):
                if i not in failures:
                    self._evaluate(moved[i], extra, i, failures)
            values = np.hstack([values, extra])
        values[list(failures)] = np.nan
        return Block(values, failures)

    def _evaluate(self, moved: np.ndarray, extra: np.ndarray, i: int, failures: dict[int, str]) -> None:
        """Put the statistic of one replicate into `extra`."""
        assert self.statistic is not None
        y, theta = response_from(self.fitted, moved), self.fitted.fit.theta
        evaluate(lambda: fit_response(self.fitted, y, start=theta), self.statistic, extra, i, failures)


def evaluate(
    refit: Callable[[], Fitted],
    statistic: Callable[[Fitted], np.ndarray] | None,
    out: np.ndarray,
    i: int,
    failures: dict[int, str],
) -> Fitted | None:
    """Refit and put the statistic into out[i], or the reason why not into `failures`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedSparseWarning)
        try:
            fitted = refit()
        except MixedSparseError as err:
            failures[i] = str(err)
            return None
        if not fitted.converged:
            failures[i] = fitted.fit.certificate.message
            return None
        if statistic is not None:
            try:
                out[i] = statistic(fitted)
            except Exception as err:  # the function is the user's: whatever it raises is a failure to count
                failures[i] = f"statistic raised {type(err).__name__}: {err}"
                return None
        return fitted


def in_tasks(seeds: Sequence[np.random.SeedSequence], size: int) -> list[Sequence[np.random.SeedSequence]]:
    """Share out seeds in tasks of `size`, after some smaller ones: who stops early keeps what is done by then."""
    tasks, start, part = [], 0, max(1, size // _FIRST_SHARE)
    while start < len(seeds):
        tasks.append(seeds[start : start + part])
        start += part
        part = min(2 * part, size)
    return tasks


def run_blocks(
    replicator: Callable[[Sequence[np.random.SeedSequence]], Block],
    tasks: Sequence[Sequence[np.random.SeedSequence]],
    n_jobs: int,
    progress: CountOption,
    what: str,
) -> list[Block]:
    """Work off the tasks; blocks come in their order.

    Those that are done are kept where it is interrupted, and, with a warning, where workers died.
    """
    total = sum(len(task) for task in tasks)
    blocks: list[Block] = []
    with counter(progress, what) as tell:
        try:
            for block in work_off(replicator, tasks, n_jobs):
                blocks.append(block)
                tell(sum(len(b.values) for b in blocks), total)
        except (KeyboardInterrupt, WorkersLostError) as err:
            if not blocks:
                raise
            if isinstance(err, WorkersLostError):
                warnings.warn(str(err), ConvergenceWarning, stacklevel=user_level())
    return blocks
