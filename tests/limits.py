"""Models whose limits are such that small designs take the ways of large ones."""

from __future__ import annotations

from copy import copy
from typing import Any, TypeVar

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.core.choose.engines import Engines
from mixedsparse.fitted.model import Model
from mixedsparse.ground.limits import Limits

M = TypeVar("M", bound=Model)
R = TypeVar("R", bound=ResultsBase)


def limited(model: M, **limits: Any) -> M:
    """Return the same model with other limits, nothing of it analysed yet."""
    other = copy(model)
    other._engines = Engines(model.problem, limits=Limits(**limits))
    return other


def relimited(results: R, **limits: Any) -> R:
    """Return the same fit, of its model with other limits."""
    fitted = results._fitted
    return results._of(type(fitted)(limited(fitted.model, **limits), fitted.fit))
