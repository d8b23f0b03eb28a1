"""Random generalized models: whether each fit is at the optimum, or says that there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

import mixedsparse as ms
from benchmarks.fuzz.attempt import Attempt, Finding, attempt
from benchmarks.fuzz.generalized_designs import RandomGeneralized
from benchmarks.fuzz.glmmtmb_fits import GlmmtmbFit

__all__ = ["CHECKS", "check_generalized"]

KIND = "generalized models"
# A criterion may be above another by so much before it counts as worse.
WORSE = 1e-4
RESTARTS = 5
# Linear predictors and standard deviations beyond these are those of a likelihood without a maximum.
FAR = 15.0
CHECKS = {
    "ends": "a fit or one of the package's own errors",
    "glmmTMB": "not above the better of glmmTMB's two optimisers",
    "none": "separated and constant levels have a verdict, and no numbers",
    "some": "where glmmTMB has an optimum, a verdict that says so",
    "restarts": f"not above the best of {RESTARTS} random starts",
    "criterion": "objective(theta, beta) is the criterion that the fit reports",
    "rows": "shuffled rows give the same criterion",
    "reports": "summary, tables, tests and intervals print",
}


def check_generalized(models: Iterable[RandomGeneralized], theirs: Mapping[int, GlmmtmbFit]) -> Iterator[Finding]:
    """Ask everything of every model."""
    for model in models:
        yield from _check(model, theirs.get(model.number))


def _check(model: RandomGeneralized, theirs: GlmmtmbFit | None) -> Iterator[Finding]:
    case = f"{model.number}: {model.formula} {model.family}({model.link}) {model.trait}"
    made = attempt(lambda: ms.GeneralizedLinearMixedModel(model.formula, model.data, **model.arguments))
    done = made if made.value is None else attempt(lambda: made.value.fit())
    yield Finding(KIND, "ends", case, done.fault)
    fit = done.value
    if not model.has_maximum:
        yield Finding(KIND, "none", case, "" if fit is None else _numbers(fit))
    if fit is None:
        return
    if model.has_maximum and theirs is not None and theirs.checksum == model.checksum:
        reference = _reference(made.value, theirs)
        if reference is not None:
            yield Finding(KIND, "some", case, "" if fit.converged else fit.certificate.verdict)
            if fit.converged:
                yield Finding(KIND, "glmmTMB", case, _above(fit.criterion, reference))
    if fit.converged:
        yield Finding(KIND, "restarts", case, _above(fit.criterion, _best_restart(made.value, fit)))
        yield Finding(KIND, "criterion", case, _differs(attempt(lambda: _objective(made.value, fit)), fit))
        yield Finding(KIND, "rows", case, _differs(attempt(lambda: _shuffled(model)), fit))
    for name, report in _reports(fit).items():
        yield Finding(KIND, "reports", f"{case}: {name}", attempt(report, seconds=30).fault)


def _numbers(fit: Any) -> str:
    """Complain of estimates where there are none."""
    if fit.converged:
        return f"{fit.certificate.verdict} at {fit.criterion:.6f}, largest coefficient {fit.params.abs().max():.3g}"
    return "estimates beside the verdict" if np.isfinite(fit.bse).any() else ""


def _reference(model: Any, theirs: GlmmtmbFit) -> float | None:
    """-2 log L where glmmTMB ended, by the objective of the model, if that is an optimum as far as R can tell.

    glmmTMB's own number may be of a mode that it has not found, and lie below every Laplace value.
    """
    if not (np.isfinite(theirs.lowest) and theirs.positive and theirs.theta):
        return None
    theta, beta = (np.array([float(value) for value in text.split()]) for text in (theirs.theta, theirs.beta))
    if len(beta) != model.problem.p or np.abs(theta).max() > FAR or np.abs(beta).max() > FAR:
        return None
    dispersion = theirs.dispersion if model.family.has_dispersion else None
    there = attempt(lambda: model.objective(theta, beta, dispersion))
    return None if there.value is None else max(there.value, theirs.lowest)


def _above(ours: float, lowest: float) -> str:
    noise = max(WORSE, 1e-9 * abs(ours))
    return f"{ours - lowest:.3g} above {lowest:.6f}" if ours > lowest + noise else ""


def _differs(found: Attempt, fit: Any) -> str:
    if found.fault or found.refusal:
        return found.fault or f"refused: {found.refusal}"
    noise = max(WORSE, 1e-9 * abs(fit.criterion))
    return "" if abs(found.value - fit.criterion) <= noise else f"{found.value:.6f} beside {fit.criterion:.6f}"


def _objective(model: Any, fit: Any) -> float:
    return float(model.objective(fit.theta, fit.params, fit.dispersion if fit.family.has_dispersion else None))


def _best_restart(model: Any, fit: Any) -> float:
    """Lowest criterion of random starts that converged."""
    rng = np.random.default_rng(len(fit.theta))
    psi = [np.log(fit.dispersion)] if fit.family.has_dispersion else []
    best = np.inf
    for _ in range(RESTARTS):
        theta = fit.theta * 10 ** (0.5 * rng.normal(size=len(fit.theta))) + 0.5 * np.abs(
            rng.normal(size=len(fit.theta))
        )
        start = np.concatenate([theta, fit.params, psi])
        found = attempt(lambda start=start: model.fit(start=start))
        if found.value is not None and found.value.converged:
            best = min(best, found.value.criterion)
    return best


def _shuffled(model: RandomGeneralized) -> float:
    data = model.data.sample(frac=1.0, random_state=model.number)
    return ms.glmer(model.formula, data, **model.arguments).criterion


def _reports(fit: Any) -> dict[str, Callable[[], Any]]:
    """Calls that a user would make on any fit."""
    return {
        "summary": lambda: str(fit.summary()),
        "tables": lambda: (fit.tidy(["fixed", "ran_pars", "ran_vals"], conf_int=True), fit.glance(), fit.augment()),
        "html and latex": lambda: (fit._repr_html_(), fit.to_latex(), fit.journal()),
        "anova": lambda: (fit.anova(), fit.anova(type=2), fit.coef_table(exp=True)),
        "intervals": lambda: fit.conf_int(which="all"),
        "components": lambda: (fit.varcorr(), fit.rePCA(), fit.icc(), fit.r2()),
        "modes": lambda: (fit.random_effects, fit.random_effects_cov),
        "predict": lambda: (fit.predict(interval="confidence"), fit.predict(interval="prediction")),
        "residuals": lambda: [fit.residuals(kind, seed=1) for kind in ("deviance", "pearson", "working", "quantile")],
        "leverage": lambda: (fit.leverage(), fit.cooks_distance()),
        "tests": lambda: (fit.ranova(), fit.drop1()),
        "draws": lambda: (fit.simulate(2, seed=1), fit.scaled_residuals(20, seed=1).tests),
        "emmeans": lambda: fit.emmeans("f", type="response").table if "f" in fit.formula.split("(")[0] else None,
    }
