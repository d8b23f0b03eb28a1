"""Options of a fit: frozen, checked where they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from mixedsparse.ground.checks import check_draws, one_of
from mixedsparse.ground.choices import Backend, Method
from mixedsparse.ground.errors import OptionError

__all__ = ["BACKENDS", "METHODS", "FitOptions", "check_draws", "check_method", "check_options"]

BACKENDS = get_args(Backend)
METHODS = get_args(Method)


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How a fit is done.

    Parameters
    ----------
    backend : {"auto", "cholmod", "split"}
        ``"split"`` eliminates the largest grouping factor by hand and factorises the dense rest with LAPACK;
        ``"cholmod"`` factorises the whole sparse system with CHOLMOD (needs the extra ``mixedsparse[cholmod]``);
        ``"auto"`` takes the one that costs less.
    max_evals : int
        Evaluations of the criterion after which the search stops early, with a warning.
    tolerance : float
        The search ends when the fall of the criterion that the next Newton step promises is below this
        (in deviance units), or below the rounding noise of the criterion.
    restart_budget : float
        Milliseconds, by an estimate that is the same on every machine, that further starts may take after an end on the
        boundary, or so close to it that the data hardly tell, or anywhere if there are no more rows than fixed and
        random effects (of weights that differ widely only the large ones count): likelihoods of such models can have
        several optima. Four times as many if there are less than two rows per effect. 0 leaves further starts out, and
        so does ``start=``; `certificate` says how many agreed.
    seed : int
        Of the random probes of the iterative method: the same data and seed give the same numbers.
    mc_share : float
        Monte-Carlo error that the iterative method may leave in an estimate, as a share of its standard error; probes
        are added until it is met.

    Examples
    --------
    >>> FitOptions(backend="split").max_evals
    500
    """

    backend: Backend = "auto"
    max_evals: int = 500
    tolerance: float = 1e-10
    restart_budget: float = 150.0
    seed: int = 0
    mc_share: float = 0.01

    def __post_init__(self) -> None:
        one_of("backend", self.backend, BACKENDS)
        if type(self.max_evals) is not int or self.max_evals < 1:
            raise OptionError(f"max_evals={self.max_evals!r} must be a whole number of at least 1.")
        if not isinstance(self.tolerance, (int, float)) or not 0 < self.tolerance < 1:
            raise OptionError(f"tolerance={self.tolerance!r} must lie between 0 and 1.")
        budget = self.restart_budget
        if isinstance(budget, bool) or not isinstance(budget, (int, float)) or not 0 <= budget < float("inf"):
            raise OptionError(f"restart_budget={budget!r} must be a number of milliseconds that is not negative.")
        if type(self.seed) is not int or self.seed < 0:
            raise OptionError(f"seed={self.seed!r} must be a whole number that is not negative.")
        if not isinstance(self.mc_share, (int, float)) or not 0 < self.mc_share < 1:
            raise OptionError(f"mc_share={self.mc_share!r} must lie between 0 and 1: 0.01 means 1 % of the SE.")


_DEFAULT = FitOptions()


def check_method(method: str, options: FitOptions) -> None:
    """Refuse a `method` that is not known, or that contradicts the options."""
    one_of("method", method, METHODS)
    if method == "iterative" and options.backend != "auto":
        raise OptionError(
            f"method='iterative' makes no factor, but options.backend={options.backend!r} asks for one: leave one out."
        )


def check_options(options: object) -> FitOptions:
    """Return the options, the default ones for None; refuse anything else, such as a dict."""
    if options is None:
        return _DEFAULT
    if not isinstance(options, FitOptions):
        raise OptionError(f"options={options!r} must be a FitOptions: write options=FitOptions(backend='split').")
    return options
