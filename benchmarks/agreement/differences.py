"""Differences between our figures and lme4's, each in the unit that makes it a relative difference.

=================  ======================================================================
criterion AIC BIC  size of the number, at least 1
sigma SE           size of the number
beta               the coefficient or its standard error, whichever is larger
theta varcorr      largest of the model, of the grouping factor
modes              largest mode of the effect, at least `NOTHING` sigma
conditional SD     largest one of the effect, at least `NOTHING` sigma
fitted             sigma
=================  ======================================================================

Names of coefficients and effects differ between R and formulaic; pairs are the nearest ones, each taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.agreement.lme4_fits import Lme4Fit

if TYPE_CHECKING:
    from mixedsparse import MixedResults

__all__ = ["at_theta", "differences", "nearest"]

# Effects this small beside sigma are as good as 0: their variance is a millionth of the residual one.
NOTHING = 1e-3


def differences(ours: MixedResults, theirs: Lme4Fit, theta: np.ndarray) -> dict[str, float]:
    """Worst difference of each figure at the optima; `theta` is lme4's in our order of terms."""
    numbers, sigma = theirs.numbers, float(theirs.numbers["sigma"][0])
    order = _order(ours.params.to_numpy(), ours.bse.to_numpy(), theirs)
    out = {
        "criterion": _relative(ours.criterion, numbers["criterion"], least=1.0),
        "AIC": _relative(ours.aic, numbers["AIC"], least=1.0),
        "BIC": _relative(ours.bic, numbers["BIC"], least=1.0),
        "sigma": _relative(ours.sigma, numbers["sigma"]),
        "beta": _of_beta(ours.params.to_numpy()[order], theirs),
        "SE": _relative(ours.bse.to_numpy()[order], numbers["SE"]),
        "varcorr": _varcorr(ours, theirs),
    }
    if not ours.singular:  # a singular covariance has many factors
        out["theta"] = _worst(np.abs(ours.theta - theta), np.abs(theta).max())
    out |= _effects(ours, theirs, NOTHING * sigma)
    out["fitted"] = _worst(np.abs(ours.fittedvalues.dropna().to_numpy() - numbers["fitted"]), sigma)
    return out


def at_theta(ours: MixedResults, theirs: Lme4Fit) -> tuple[np.ndarray, dict[str, float]]:
    """Return lme4's theta in our order of terms, and the worst difference of each figure there."""
    from mixedsparse.core.likelihood.pls import Pls, solve_pls

    model, reml = ours.model, ours.reml
    problem, engine = model.problem, model.engine()

    def evaluate(theta: np.ndarray) -> Pls:
        factors = problem.layout.lams(problem.layout.to_block @ theta)
        return solve_pls(problem, engine.factorize(factors), reml)

    wanted = theirs.numbers["criterion"][0]
    candidates = [(theta, evaluate(theta)) for theta in _orders_of_terms(theirs)]
    theta, pls = min(candidates, key=lambda candidate: abs(candidate[1].criterion - wanted))
    sigma2 = pls.pwrss / problem.degrees(reml)
    beta = problem.basis.beta(pls.gamma)
    se = np.sqrt(np.diagonal(sigma2 * problem.basis.covariance(pls.K)))
    order = _order(beta, se, theirs)
    return theta, {
        "criterion": _relative(pls.criterion, theirs.numbers["criterion"], least=1.0),
        "sigma": _relative(np.sqrt(sigma2), theirs.numbers["sigma"]),
        "beta": _of_beta(beta[order], theirs),
        "SE": _relative(se[order], theirs.numbers["SE"]),
    }


def _orders_of_terms(theirs: Lme4Fit) -> list[np.ndarray]:
    """Lme4's theta as it is, and with terms of equally many levels turned round: lme4 reverses such ties."""
    theta = theirs.numbers["theta"]
    widths, levels = theirs.numbers["width"].astype(int), theirs.numbers["levels"]
    sizes = widths * (widths + 1) // 2
    pieces = np.split(theta, np.cumsum(sizes)[:-1])
    turned = sorted(reversed(range(len(pieces))), key=lambda i: -levels[i])
    return [theta, np.concatenate([pieces[i] for i in turned])]


def _order(beta: np.ndarray, se: np.ndarray, theirs: Lme4Fit) -> list[int]:
    """Position among ours of each of lme4's coefficients: the nearest (estimate, SE) pair."""
    scale = theirs.numbers["SE"]
    wanted = np.column_stack([theirs.numbers["beta"], scale]) / scale[:, None]
    cost = [
        np.abs(np.column_stack([beta, se]) / unit - pair).sum(axis=1) for pair, unit in zip(wanted, scale, strict=True)
    ]
    return nearest(np.array(cost))


def nearest(cost: np.ndarray) -> list[int]:
    """Column for each row of `cost`, pairs of least cost first, each column taken once."""
    left = cost.astype(float)
    out = [0] * len(cost)
    for _ in range(len(cost)):
        row, column = np.unravel_index(np.argmin(left), left.shape)
        out[row] = int(column)
        left[row], left[:, column] = np.inf, np.inf
    return out


def _varcorr(ours: MixedResults, theirs: Lme4Fit) -> float:
    """Worst difference of variances and covariances; sorted within a factor, as the order of its terms may differ."""
    table = ours.varcorr()
    mine: dict[str, list[float]] = {}
    for group, value in zip(table["grp"], table["vcov"], strict=True):
        mine.setdefault(_group(group), []).append(value)
    other: dict[str, list[float]] = {}
    for group, values in theirs.by_group["varcorr"].items():
        other.setdefault(_group(group), []).extend(values)
    return max(
        _worst(np.abs(np.sort(mine[group]) - np.sort(values)), max(np.abs(values).max(), NOTHING**2 * ours.scale))
        for group, values in other.items()
    )


def _group(name: str) -> str:
    """Name of a grouping factor whichever way round a:b is, without lme4's number of a further term on it."""
    stem, dot, number = name.rpartition(".")
    plain = stem if dot and number.isdigit() else name
    return ":".join(sorted(plain.split(":")))


def _effects(ours: MixedResults, theirs: Lme4Fit, nothing: float) -> dict[str, float]:
    """Worst differences of conditional modes and their standard deviations."""
    names = {_group(name): name for name in ours.random_effects}
    by_group: dict[str, list[tuple[str, list[str], np.ndarray, np.ndarray]]] = {}
    for (group, labels, modes), (_, _, sd) in zip(
        theirs.effects["modes"], theirs.effects["conditional SD"], strict=True
    ):
        by_group.setdefault(_group(group), []).append((group, labels, modes, sd))
    worst = {"modes": 0.0, "conditional SD": 0.0}
    for key, effects in by_group.items():
        frame = ours.random_effects[names[key]]
        sds = np.sqrt(np.diagonal(ours.random_effects_cov[names[key]], axis1=1, axis2=2))
        rows = _rows(frame.index.astype(str), effects[0][1], turned=effects[0][0] != names[key])
        mine = frame.to_numpy()[rows]
        size = [max(float(np.abs(modes).max()), nothing) for _, _, modes, _ in effects]
        cost = [
            np.abs(mine - modes[:, None]).max(axis=0) / s for (_, _, modes, _), s in zip(effects, size, strict=True)
        ]
        for (_, _, modes, sd), column, s in zip(effects, nearest(np.array(cost)), size, strict=True):
            worst["modes"] = max(worst["modes"], _worst(np.abs(mine[:, column] - modes), s))
            apart = np.abs(sds[rows, column] - sd)
            worst["conditional SD"] = max(worst["conditional SD"], _worst(apart, max(sd.max(), nothing)))
    return worst


def _rows(index: Sequence[str], labels: Sequence[str], *, turned: bool) -> list[int]:
    """Row of each of lme4's levels; those of a:b are turned round where ours are of b:a."""
    place = {label: row for row, label in enumerate(index)}
    return [place[":".join(reversed(label.split(":"))) if turned else label] for label in labels]


def _of_beta(mine: np.ndarray, theirs: Lme4Fit) -> float:
    beta, se = theirs.numbers["beta"], theirs.numbers["SE"]
    return _worst(np.abs(mine - beta), np.maximum(np.abs(beta), se))


def _relative(mine: float | np.ndarray, theirs: np.ndarray, least: float = 0.0) -> float:
    return _worst(np.abs(np.asarray(mine) - theirs), np.maximum(np.abs(theirs), least))


def _worst(apart: np.ndarray, unit: float | np.ndarray) -> float:
    """Largest difference; 0 over 0 is none."""
    return float(np.max(np.where(apart == 0, 0.0, apart / unit), initial=0.0))
