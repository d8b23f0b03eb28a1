"""Options of a fit: frozen, checked where they are made."""

from __future__ import annotations

from dataclasses import dataclass

from mixedsparse.errors import OptionError

__all__ = ["BACKENDS", "METHODS", "FitOptions", "check_method", "check_options"]

BACKENDS = ("auto", "cholmod", "split")
METHODS = ("auto", "direct", "iterative")


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

    Examples
    --------
    >>> FitOptions(backend="split").max_evals
    500
    """

    backend: str = "auto"
    max_evals: int = 500
    tolerance: float = 1e-10

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise OptionError(f"backend={self.backend!r} is not known; use one of {', '.join(map(repr, BACKENDS))}.")
        if type(self.max_evals) is not int or self.max_evals < 1:
            raise OptionError(f"max_evals={self.max_evals!r} must be a whole number of at least 1.")
        if not isinstance(self.tolerance, (int, float)) or not 0 < self.tolerance < 1:
            raise OptionError(f"tolerance={self.tolerance!r} must lie between 0 and 1.")


def check_method(method: str) -> None:
    """Refuse a `method` that is not known, or not there yet."""
    if method not in METHODS:
        raise OptionError(f"method={method!r} is not known; use one of {', '.join(map(repr, METHODS))}.")
    if method == "iterative":
        raise OptionError("method='iterative' is not available yet; use method='direct', which is exact.")


def check_options(options: object) -> FitOptions:
    """Return the options, the default ones for None; refuse anything else, such as a dict."""
    if options is None:
        return FitOptions()
    if not isinstance(options, FitOptions):
        raise OptionError(f"options={options!r} must be a FitOptions: write options=FitOptions(backend='split').")
    return options
