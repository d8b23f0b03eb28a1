"""The form in which the criterion of a problem is evaluated: by an engine, or dense where that is quicker or better."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixedsparse.core.engines.dense.cholesky import DenseCriterion, is_small
from mixedsparse.core.engines.dense.orthogonal import OrthogonalCriterion, can_be_orthogonal
from mixedsparse.core.likelihood.charted import ChartedCriterion, ChartedPoint
from mixedsparse.core.likelihood.criterion import EngineCriterion, ThetaCriterion
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.chart import Chart
from mixedsparse.ground.errors import NotPositiveDefiniteError

__all__ = ["charted_at", "criterion_at", "make_criterion", "make_orthogonal"]


def make_criterion(engine: Engine, reml: bool) -> ThetaCriterion:
    """Return the form of the criterion that is quickest for the problem of `engine`."""
    return DenseCriterion(engine, reml) if is_small(engine) else EngineCriterion(engine, reml)


def make_orthogonal(engine: Engine, reml: bool) -> ThetaCriterion | None:
    """Return the form of the criterion that loses fewest digits, if it can be had."""
    return OrthogonalCriterion(engine, reml) if can_be_orthogonal(engine) else None


# Absurd theta overflow: the criterion is not finite there.
@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def criterion_at(engine: Engine, reml: bool, theta: np.ndarray) -> tuple[ThetaCriterion, Any]:
    """Return the form of the criterion whose digits suffice at theta of the whitened bases, and its point there.

    Raises
    ------
    NotPositiveDefiniteError
        It cannot be evaluated at theta.
    """
    criterion, point = make_criterion(engine, reml), None
    try:
        point = criterion.evaluate(theta)
        if not criterion.needs_digits(point):
            return criterion, point
    except NotPositiveDefiniteError:
        if not can_be_orthogonal(engine):
            raise
    orthogonal = make_orthogonal(engine, reml)
    return (criterion, point) if orthogonal is None else (orthogonal, orthogonal.evaluate(theta))


def charted_at(engine: Engine, reml: bool, chart: Chart, x: np.ndarray) -> tuple[ChartedCriterion, ChartedPoint]:
    """See `criterion_at`, in the coordinates x of a chart."""
    theta = chart.regular_theta(x)
    criterion, inner = criterion_at(engine, reml, theta)
    return ChartedCriterion(criterion, chart), ChartedPoint(x, theta, inner)
