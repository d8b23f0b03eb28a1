"""Profile likelihood of one relative variance: it is held, and the other parameters are optimised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.compat.structure import make_model, permuted
from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.problem.tied_chart import TiedChart
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.api.model import LinearMixedModel
    from mixedsparse.compat.estimates import EstimatesMixin

__all__ = ["profile_variance"]


def profile_variance(
    results: EstimatesMixin, re_ix: int | str, vtype: str, low: tuple[int, float], high: tuple[int, float]
) -> np.ndarray:
    """Points (value, log-likelihood) below and above the estimate; see `MixedLMResults.profile_re`."""
    model, theta, held = _model_of_one(results, re_ix, vtype)
    scale = results.scale
    centre = float(theta[held] ** 2)
    if centre - low[1] / scale <= 0:
        raise OptionError(
            f"dist_low={low[1]:g} reaches below zero, as the variance is {centre * scale:.6g}: give a smaller distance."
        )
    left = np.linspace(centre - low[1] / scale, centre, low[0] + 1)
    right = np.linspace(centre, centre + high[1] / scale, high[0] + 1)[1:]
    return np.array([_point(model, theta, held, x, results._mixed.reml) for x in np.concatenate([left, right])])


def _model_of_one(results: EstimatesMixin, re_ix: int | str, vtype: str) -> tuple[LinearMixedModel, np.ndarray, int]:
    """Model in which theta[held]^2 is the relative variance in question, the optimal theta, and `held`."""
    structure, mixed = results.model.structure, results._mixed
    names = structure.re_names if vtype == "re" else [component.name for component in structure.components]
    if structure.is_tied:
        raise OptionError("A profile is for components with one column in each row, and this model has others.")
    if vtype not in ("re", "vc"):
        raise OptionError(f"vtype={vtype!r} is not known; use 're' or 'vc'.")
    if re_ix not in names and not (isinstance(re_ix, int | np.integer) and 0 <= re_ix < len(names)):
        raise OptionError(f"re_ix={re_ix!r} is not one of the {vtype!r} variances: {', '.join(map(repr, names))}.")
    index = re_ix if isinstance(re_ix, int | np.integer) else list(names).index(re_ix)
    model, templates = mixed.model, list(mixed.fit.templates)
    position = index if results.independent or vtype == "vc" else 0
    t = model.problem.order.index(position + (results.n_re_terms if vtype == "vc" else 0))
    if vtype == "re" and not results.independent and index > 0:
        # The first entry of Lambda is a standard deviation: put the effect in question there.
        order = [index, *(j for j in range(structure.k_re) if j != index)]
        model = make_model(permuted(model.design, order))
        lam = np.linalg.qr(templates[t][order].T, mode="r").T
        templates[t] = lam * np.where(np.diagonal(lam) < 0, -1.0, 1.0)
    layout = model.problem.theta_layout
    return model, layout.flatten(templates), int(np.flatnonzero(layout.term == t)[0])


def _point(model: LinearMixedModel, theta: np.ndarray, held: int, x: float, reml: bool) -> tuple[float, float]:
    """Variance and log-likelihood where the relative variance is `x` and the rest is optimal."""
    start = theta.copy()
    start[held] = np.sqrt(x)
    if len(theta) == 1:
        _, at = model._point(start, reml)
        return x * at.pwrss / model.problem.degrees(reml), -0.5 * at.criterion
    shared = np.arange(len(theta)) - (np.arange(len(theta)) > held)
    shared[held] = -1
    fit = fit_problem(model.engine(), reml, start=start, chart=TiedChart(model.problem, shared, {held: start[held]}))
    return x * fit.sigma2, -0.5 * fit.criterion
