"""The criterion as the search sees it: values, derivatives, and the penalised least squares where it ends."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mixedsparse.core.derivatives import Derivatives, differentiate
from mixedsparse.core.direct.dense import DenseCriterion, is_small
from mixedsparse.core.engine import Engine
from mixedsparse.core.pls import Pls, solve_pls

__all__ = ["Criterion", "EngineCriterion", "Point", "make_criterion"]


class Point(Protocol):
    """An evaluated theta."""

    @property
    def criterion(self) -> float:
        """REML criterion or -2 log-likelihood."""
        ...

    @property
    def pwrss(self) -> float:
        """Penalised weighted residual sum of squares."""
        ...


class Criterion(Protocol):
    """Evaluates and differentiates; a point belongs to the criterion that made it."""

    def evaluate(self, theta: np.ndarray) -> Any:
        """Return the `Point` at theta of the whitened bases, or raise NotPositiveDefiniteError."""
        ...

    def differentiate(self, point: Any, exact: bool) -> Derivatives:
        """Differentiate twice; see `derivatives.differentiate`."""
        ...

    def pls(self, point: Any) -> Pls:
        """Penalised least squares at the point, without large arrays."""
        ...


class EngineCriterion:
    """The criterion by the factorisations of an engine."""

    def __init__(self, engine: Engine, reml: bool) -> None:
        self.engine, self.reml = engine, reml

    def evaluate(self, theta: np.ndarray) -> Pls:
        """See `Criterion.evaluate`."""
        problem = self.engine.problem
        return solve_pls(problem, self.engine.factorize(problem.layout.factors(theta)), self.reml)

    def differentiate(self, point: Pls, exact: bool) -> Derivatives:
        """See `Criterion.differentiate`."""
        return differentiate(self.engine, point, exact=exact)

    def pls(self, point: Pls) -> Pls:
        """See `Criterion.pls`."""
        point.factor.release()
        return point


def make_criterion(engine: Engine, reml: bool) -> Criterion:
    """Return the form of the criterion that is quickest for the problem of `engine`."""
    return DenseCriterion(engine, reml) if is_small(engine) else EngineCriterion(engine, reml)
