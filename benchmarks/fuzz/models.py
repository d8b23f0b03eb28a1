"""Random models: whether each fit is at the optimum, says what it is, and is the same by every engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

import mixedsparse as ms
from benchmarks.fuzz.attempt import Attempt, Finding, attempt
from benchmarks.fuzz.designs import RandomModel
from benchmarks.fuzz.lme4_fits import Lme4Criterion

__all__ = ["CHECKS", "check_models"]

KIND = "models"
# A criterion may be above another by so much before it counts as worse.
WORSE = 1e-4
RESTARTS = 20
CHECKS = {
    "ends": "a fit or one of the package's own errors",
    "lme4": "not above the best of lme4's three optimisers",
    "restarts": f"not above the best of {RESTARTS} random starts",
    "criterion": "objective(theta) is the criterion that the fit reports",
    "engines": "both factorisations reach the same criterion",
    "rows": "shuffled rows give the same criterion",
    "reports": "summary, tables, tests and intervals print",
}


def check_models(models: Iterable[RandomModel], theirs: Mapping[tuple[int, bool], Lme4Criterion]) -> Iterator[Finding]:
    """Ask everything of every model, by REML and by maximum likelihood."""
    for model in models:
        for reml in (True, False):
            yield from _check(model, reml, theirs.get((model.number, reml)))


def _check(model: RandomModel, reml: bool, theirs: Lme4Criterion | None) -> Iterator[Finding]:
    case = f"{model.number} {'REML' if reml else 'ML'}: {model.formula} {' '.join(model.traits)}".strip()
    made = attempt(lambda: ms.LinearMixedModel(model.formula, model.data, **model.arguments))
    done = made if made.value is None else attempt(lambda: made.value.fit(reml))
    yield Finding(KIND, "ends", case, done.fault)
    if done.value is None:
        return
    fit = done.value
    # A fit that says that it stopped early, or that there is no maximum, has not claimed one.
    claims = fit.converged and not fit.certificate.unbounded
    noise = max(WORSE, 1e-9 * abs(fit.criterion))
    if claims and theirs is not None and np.isfinite(theirs.lowest) and theirs.checksum == model.checksum:
        lowest = theirs.lowest if fit.criterion <= theirs.lowest + noise else _checked(made.value, theirs, reml)
        yield Finding(KIND, "lme4", case, _above(fit.criterion, lowest, noise))
    if claims:
        yield Finding(KIND, "restarts", case, _above(fit.criterion, _best_restart(made.value, fit, reml), noise))
    yield Finding(KIND, "criterion", case, _differs(attempt(lambda: made.value.objective(fit.theta, reml)), fit, noise))
    other = "cholmod" if made.value.engine().name != "cholmod" else "split"
    options = ms.FitOptions(backend=other)
    if claims:
        second = attempt(lambda: made.value.fit(reml, options=options).criterion)
        if not isinstance(second.refusal, ms.BackendError):
            yield Finding(KIND, "engines", case, _differs(second, fit, noise))
        yield Finding(KIND, "rows", case, _differs(attempt(lambda: _shuffled(model, reml)), fit, noise))
    for name, report in _reports(fit).items():
        yield Finding(KIND, "reports", f"{case}: {name}", attempt(report, seconds=30).fault)


def _above(ours: float, lowest: float, noise: float) -> str:
    return f"{ours - lowest:.3g} above {lowest:.6f}" if ours > lowest + noise else ""


def _checked(model: Any, theirs: Lme4Criterion, reml: bool) -> float:
    """Evaluate the criterion where lme4 ended: lme4's own value may have lost digits, by weights decades apart."""
    if not theirs.theta:
        return theirs.lowest
    there = attempt(lambda: model.objective([float(value) for value in theirs.theta.split()], reml))
    return theirs.lowest if there.value is None else there.value


def _differs(found: Attempt, fit: Any, noise: float) -> str:
    if found.fault or found.refusal:
        return found.fault or f"refused: {found.refusal}"
    return "" if abs(found.value - fit.criterion) <= noise else f"{found.value:.6f} beside {fit.criterion:.6f}"


def _best_restart(model: Any, fit: Any, reml: bool) -> float:
    """Lowest criterion of random starts that converged."""
    rng = np.random.default_rng(len(fit.theta))
    best = np.inf
    for _ in range(RESTARTS):
        jump = rng.choice([0.01, 0.3, 3.0]) * rng.normal(size=len(fit.theta))
        start = fit.theta * 10 ** rng.normal(size=len(fit.theta)) + jump
        found = attempt(lambda start=start: model.fit(reml, start=start))
        if found.value is not None and found.value.converged:
            best = min(best, found.value.criterion)
    return best


def _shuffled(model: RandomModel, reml: bool) -> float:
    data = model.data.sample(frac=1.0, random_state=model.number)
    return ms.lmer(model.formula, data, reml=reml, **model.arguments).criterion


def _reports(fit: Any) -> dict[str, Any]:
    """Calls that a user would make on any fit."""
    return {
        "summary": lambda: str(fit.summary()),
        "tables": lambda: (fit.tidy(), fit.tidy("ran_pars"), fit.tidy("ran_vals"), fit.glance(), fit.augment()),
        "html and latex": lambda: (fit._repr_html_(), fit.to_latex()),
        "anova": lambda: (fit.anova(), fit.anova(type=2), fit.anova(type=1)),
        "Kenward-Roger": lambda: fit.coef_table(ddf="kenward-roger") if fit.reml else None,
        "intervals": lambda: fit.conf_int(),
        "components": lambda: (fit.varcorr(), fit.rePCA(), fit.icc(), fit.r2()),
        "modes": lambda: (fit.random_effects, fit.random_effects_cov),
        "predict": lambda: fit.predict(interval="prediction"),
        "influence": lambda: (fit.leverage(), fit.influence()),
        "tests of variances": lambda: fit.ranova(),
    }
