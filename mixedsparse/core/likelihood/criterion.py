"""The criterion as the search sees it: values, derivatives, and the penalised least squares where it ends."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from mixedsparse.core.likelihood.derivatives import Derivatives, differentiate
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls, rounding, solve_pls

__all__ = ["ENOUGH", "Criterion", "EngineCriterion", "Evaluated", "ThetaCriterion"]

# Rounding error of the criterion from which on it is evaluated with more digits, where that can be done.
ENOUGH = 1e-7


class Evaluated(Protocol):
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
        """Return the `Evaluated` point at theta of the whitened bases, or raise NotPositiveDefiniteError."""
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

    def needs_digits(self, point: Any) -> bool:
        """Whether so many digits are lost at the point that derivatives suffer too."""
        ...


class ThetaCriterion(Criterion, Protocol):
    """One in theta of the whitened bases."""

    def along(self, point: Any, exact: bool, moves: np.ndarray) -> Derivatives | None:
        """Differentiate, second derivatives along `moves` (m, r) in the entries of Sigma only.

        None where exact ones are wanted and at hand, or all cost no more.
        """
        ...


class EngineCriterion:
    """The criterion by the factorisations of an engine."""

    def __init__(self, engine: Engine, reml: bool) -> None:
        self.engine, self.reml = engine, reml

    def evaluate(self, theta: np.ndarray) -> Pls:
        """See `Criterion.evaluate`."""
        problem = self.engine.problem
        return solve_pls(problem, self.engine.factorize(problem.layout.lams(theta)), self.reml)

    def differentiate(self, point: Pls, exact: bool) -> Derivatives:
        """See `Criterion.differentiate`."""
        return differentiate(self.engine, point, exact=exact)

    def along(self, point: Pls, exact: bool, moves: np.ndarray) -> Derivatives | None:
        """See `ThetaCriterion.along`."""
        if exact and (self.engine.writes_projection or self.engine.keeps_projection):
            return None
        return differentiate(self.engine, point, exact=False, moves=moves)

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

    def needs_digits(self, point: Pls) -> bool:
        """See `Criterion.needs_digits`."""
        return point.lossy or not self.noise(point) <= ENOUGH
