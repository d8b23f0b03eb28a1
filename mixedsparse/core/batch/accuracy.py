"""Whether problems in step keep the digits of the criterion: they go by sums over levels, and not by rows.

The optimum of a fit is known to the noise that its certificate states, by a form of the criterion that may have used
the rows. The same form of the criterion that the problems are evaluated by, at the same point, tells what is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.core.batch.general import EngineBatch, make_batch
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.likelihood.interface import Engine

__all__ = ["LOST", "batch_at"]

# Error of the criterion from which on results that rest on it are in doubt, and the same relative to the criterion.
LOST, _RELATIVE = 1e-4, 1e-9


def batch_at(
    engine: Engine, templates: Sequence[np.ndarray], unit: float, criterion: float, reml: bool
) -> tuple[Batch, float]:
    """Choose how problems around one optimum are evaluated; also return the error of the criterion there.

    Parameters
    ----------
    engine : Engine
    templates : sequence of ndarray (k, k)
        Lambda_t at the optimum.
    unit : float
        sigma there.
    criterion : float
        Its criterion, REML or ML as `reml` says.
    """
    batch = make_batch(engine, many=True)
    error = _error(batch, templates, unit, criterion, reml)
    if batch.together and error > LOST:
        # A factorisation of M loses less than the inverse of I + Z'Z Sigma.
        other = EngineBatch(engine)
        again = _error(other, templates, unit, criterion, reml)
        return (other, again) if again < error else (batch, error)
    return batch, error


def _error(batch: Batch, templates: Sequence[np.ndarray], unit: float, criterion: float, reml: bool) -> float:
    chart = plain_chart(batch.problem)
    joint = JointCriterion(batch, [chart], Responses.of(batch.problem, 1), unit, reml)
    found = float(joint(chart.coordinates(templates)[None], np.array([0])).value[0])
    error = abs(found - criterion) if np.isfinite(found) else np.inf
    return max(error - _RELATIVE * abs(criterion), 0.0)
