"""Warnings of a fit under statsmodels' classes too, so that the filters of a script hold."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from functools import cache

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import ConvergenceWarning, DroppedRowsWarning, SingularFitWarning

__all__ = ["warn_again"]

_THEIRS: dict[type[Warning], tuple[str, ...]] = {
    ConvergenceWarning: ("ConvergenceWarning",),
    SingularFitWarning: ("ConvergenceWarning", "SingularMatrixWarning"),
}
_SINGULAR = "The random effects covariance matrix is singular. "


def warn_again(caught: Sequence[warnings.WarningMessage]) -> None:
    """Give warnings again, at the user's line, as instances of statsmodels' classes once statsmodels is imported."""
    for warning in caught:
        # missing="drop" asked for it.
        if issubclass(warning.category, DroppedRowsWarning):
            continue
        singular = issubclass(warning.category, SingularFitWarning)
        text = f"{_SINGULAR if singular else ''}{warning.message}"
        warnings.warn(text, _both(warning.category, _exceptions_are_there()), stacklevel=user_level())


def _exceptions_are_there() -> bool:
    return "statsmodels.tools.sm_exceptions" in sys.modules


@cache
def _both(category: type[Warning], theirs: bool) -> type[Warning]:
    names = _THEIRS.get(category, ()) if theirs else ()
    if not names:
        return category
    module = sys.modules["statsmodels.tools.sm_exceptions"]
    bases = (category, *(getattr(module, name) for name in names))
    return type(category.__name__, bases, {"__module__": category.__module__, "__doc__": category.__doc__})
