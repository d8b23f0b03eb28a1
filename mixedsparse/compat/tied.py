"""Fits whose variance components have several columns in a row: terms of one common variance.

The engine has a parameter for each term; here theta = A phi, with one phi for each variance. Its gradient A'g and
Hessian A'H A serve the same search.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from mixedsparse.api.results import MixedResults
from mixedsparse.core.fitting.estimates import report
from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.start import moment_start
from mixedsparse.core.likelihood.derivatives import Derivatives
from mixedsparse.core.likelihood.hessian import observed_hessian
from mixedsparse.core.newton.trust import trust_step
from mixedsparse.fitted.refusals import is_perfect, perfect_fit
from mixedsparse.fitted.warnings import warn_of_data, warn_of_search

if TYPE_CHECKING:
    from mixedsparse.api.model import LinearMixedModel

__all__ = ["fit_tied"]

# The criterion is flat at an optimum: gradients this small leave errors of their square.
_GRADIENT = 1e-6
# Scaled gradient at which the end counts as an optimum, and standard deviation over sigma that counts as none.
_SCALED, _ZERO = 1e-3, 1e-4


def fit_tied(model: LinearMixedModel, ties: np.ndarray, reml: bool) -> MixedResults:
    """Fit `model` with theta = A phi, `ties` being A; the results stand at an optimum of the tied model only."""
    began = time.perf_counter()
    problem = model.problem
    to_block = problem.layout.to_block @ ties
    # In these units a parameter is a standard deviation over sigma, whatever the columns are measured in.
    A = ties / np.sqrt(np.square(to_block).sum(axis=0) / ties.sum(axis=0))
    evaluations = 0

    def criterion(phi: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal evaluations
        evaluations += 1
        return model.objective(A @ phi, reml), slope(phi)

    def slope(phi: np.ndarray) -> np.ndarray:
        return A.T @ model.gradient(A @ phi, reml)

    start = np.linalg.lstsq(A, problem.from_block @ moment_start(problem), rcond=None)[0]
    found = minimize(criterion, start, jac=True, method="BFGS", options={"gtol": _GRADIENT})
    phi = found.x
    for j in np.flatnonzero(np.abs(phi) < _ZERO):
        without = np.where(np.arange(len(phi)) == j, 0.0, phi)
        phi = without if criterion(without)[0] <= criterion(phi)[0] + _GRADIENT else phi
    gradient, hessian = slope(phi), observed_hessian(slope, phi)
    step = trust_step(gradient, hessian, np.inf)
    theta = problem.layout.positive(problem.layout.to_block @ (A @ phi))
    at_theta, point = model._point(problem.from_block @ theta, reml)
    pls = at_theta.pls(point)
    stop = Stop.CONVERGED if step.scaled_gradient < _SCALED else Stop.NO_PROGRESS
    seconds = time.perf_counter() - began
    derivatives = Derivatives(gradient, hessian, "exact")
    fit = report(
        model.engine(),
        Search(theta, pls, derivatives, step, stop, evaluations, found.nit, seconds, (), at_theta.noise(point)),
        reml,
    )
    if is_perfect(fit, problem):
        raise perfect_fit(model.design)
    warn_of_data(model.design, model.problem, model.dropped_columns)
    warn_of_search(fit)
    return MixedResults(model, fit)
