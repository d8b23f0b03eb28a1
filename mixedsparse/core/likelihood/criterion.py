"""The criterion as the search sees it: values, derivatives, and the penalised least squares where it ends."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mixedsparse.core.engines.dense.cholesky import ENOUGH, DenseCriterion, is_small
from mixedsparse.core.engines.dense.orthogonal import CarefulCriterion, can_be_careful
from mixedsparse.core.engines.interface import Engine
from mixedsparse.core.likelihood.derivatives import Derivatives, differentiate
from mixedsparse.core.likelihood.pls import Pls, rounding, solve_pls
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["Criterion", "EngineCriterion", "Point", "criterion_at", "make_careful", "make_criterion"]


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

    def gradient(self, point: Any) -> np.ndarray:
        """Exact gradient (m,) at the point."""
        ...

    def pls(self, point: Any) -> Pls:
        """Penalised least squares at the point, without large arrays."""
        ...

    def noise(self, point: Any) -> float:
        """Estimate the rounding error of the criterion at the point."""
        ...

    def wants_care(self, point: Any) -> bool:
        """Whether so many digits are lost at the point that derivatives suffer too."""
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

    def gradient(self, point: Pls) -> np.ndarray:
        """See `Criterion.gradient`."""
        return differentiate(self.engine, point, second=False).gradient

    def pls(self, point: Pls) -> Pls:
        """See `Criterion.pls`."""
        point.factor.release()
        return point

    def noise(self, point: Pls) -> float:
        """See `Criterion.noise`."""
        return rounding(self.engine.problem, point.factor.loss(), point.losses, self.reml)

    def wants_care(self, point: Pls) -> bool:
        """See `Criterion.wants_care`."""
        return point.lossy or not self.noise(point) <= ENOUGH


def make_criterion(engine: Engine, reml: bool) -> Criterion:
    """Return the form of the criterion that is quickest for the problem of `engine`."""
    return DenseCriterion(engine, reml) if is_small(engine) else EngineCriterion(engine, reml)


def make_careful(engine: Engine, reml: bool) -> Criterion | None:
    """Return the form of the criterion that loses fewest digits, if it can be had."""
    return CarefulCriterion(engine, reml) if can_be_careful(engine) else None


def criterion_at(engine: Engine, reml: bool, theta: np.ndarray) -> tuple[Criterion, Any]:
    """Return the form of the criterion whose digits suffice at theta of the whitened bases, and its point there.

    Raises
    ------
    NotPositiveDefiniteError
        It cannot be evaluated at theta.
    """
    criterion, point = make_criterion(engine, reml), None
    try:
        point = criterion.evaluate(theta)
        if not criterion.wants_care(point):
            return criterion, point
    except NotPositiveDefiniteError:
        if not can_be_careful(engine):
            raise
    careful = make_careful(engine, reml)
    return (criterion, point) if careful is None else (careful, careful.evaluate(theta))
