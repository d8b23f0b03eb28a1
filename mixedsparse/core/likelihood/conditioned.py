"""Penalised least squares under one linear condition on the coefficients, row'gamma = value.

With a = row, K and gamma without the condition and gap = a'gamma - value,

    gamma_c = gamma - K a gap / a'Ka,   r^2_c = r^2 + gap^2 / a'Ka,   K_c = K - K a a'K / a'Ka

and every derivative of the maximum-likelihood criterion has the form that it has without, in these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from mixedsparse.core.likelihood.criterion import EngineCriterion
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.likelihood.projected import projected_columns

__all__ = ["Condition", "ConditionedCriterion", "ConditionedPls"]


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """row'gamma = value; gamma (p,) are the coefficients of Q."""

    row: np.ndarray
    value: float


@dataclass(frozen=True, eq=False)
class ConditionedPls(Pls):
    """See `Pls`; `pull` and `bend` are the first two derivatives of r^2 in the value of the condition."""

    pull: float = 0.0
    bend: float = 0.0


class ConditionedCriterion(EngineCriterion):
    """-2 log-likelihood by the factorisations of an engine, under a condition; see `Criterion`."""

    def __init__(self, engine: Engine, condition: Condition) -> None:
        super().__init__(engine, reml=False)
        self.condition = condition

    def evaluate(self, theta: np.ndarray) -> ConditionedPls:
        """See `Criterion.evaluate`."""
        return self._conditioned(super().evaluate(theta))

    def _conditioned(self, pls: Pls) -> ConditionedPls:
        problem, row = self.engine.problem, self.condition.row
        Ka = pls.K @ row
        size = float(row @ Ka)
        gap = float(row @ pls.gamma) - self.condition.value
        move = Ka * (gap / size)
        pwrss = pls.pwrss + gap**2 / size
        modes = pls.modes
        if modes:
            moved = [columns @ move for columns in projected_columns(problem, pls)]
            modes = [own + more for own, more in zip(modes, moved, strict=True)]
        known = {field.name: getattr(pls, field.name) for field in fields(pls)}
        out = ConditionedPls(**known, pull=-2.0 * gap / size, bend=2.0 / size)
        return replace(
            out,
            criterion=pls.criterion + problem.degrees(False) * math.log(pwrss / pls.pwrss),
            gamma=pls.gamma - move,
            K=pls.K - np.outer(Ka, Ka) / size,
            pwrss=pwrss,
            zeta=[zeta + Hx @ move for zeta, Hx in zip(pls.zeta, pls.Hx, strict=True)],
            modes=modes,
        )
