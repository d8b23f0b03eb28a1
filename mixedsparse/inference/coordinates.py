"""The chart in which a parameter is a coordinate."""

from __future__ import annotations

import numpy as np

from mixedsparse.core.batch.coordinates import (
    ProfileChart,
    coefficient_chart,
    correlation_chart,
    deviation_chart,
    sigma_chart,
)
from mixedsparse.core.fitting.estimates import Fit
from mixedsparse.core.problem.problem import Problem
from mixedsparse.inference.parameters import Parameter

__all__ = ["chart_of", "is_flat"]

# A standard deviation below this share of sigma leaves its correlations without meaning.
_NO_SPREAD = 1e-6


def chart_of(problem: Problem, fit: Fit, parameter: Parameter, unit: float) -> ProfileChart:
    """Chart of `parameter` around `fit`, in units of `unit`."""
    if parameter.kind == "fixed":
        which = parameter.places[0]
        return coefficient_chart(problem, which, float(fit.beta[which]), float(np.sqrt(fit.cov_beta[which, which])))
    if parameter.kind == "sigma":
        return sigma_chart(problem, unit)
    if parameter.kind == "sd":
        return deviation_chart(problem, parameter.term, parameter.places[0], unit)
    return correlation_chart(problem, parameter.term, *parameter.places)


def is_flat(parameter: Parameter, chart: ProfileChart, x: np.ndarray) -> bool:
    """Whether the likelihood at x does not depend on a correlation, one of the effects having no variance."""
    return parameter.kind == "cor" and min(x[chart.angle[0]], x[chart.angle[2]]) < _NO_SPREAD
