"""Predicted effects of related levels, and how reliable they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import did_you_mean
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.modes import mode_covariances, random_effects

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["breeding_values"]


def breeding_values(fitted: Fitted, factor: str, effect: str | Mapping[str, float] | None = None) -> pd.DataFrame:
    """Values, error variances and reliabilities of all levels; see `MixedResults.breeding_values`."""
    groups = [group for group in fitted.terms_of if group in (factor, f"rel({factor})")]
    related = [group for group in groups if fitted.problem.terms[fitted.terms_of[group][0]].precision is not None]
    if not related:
        known = [g for g, terms in fitted.terms_of.items() if fitted.problem.terms[terms[0]].precision is not None]
        listed = ", ".join(map(repr, known)) or "none: write '(1 | rel(animal))' with relations={'animal': ...}"
        raise OptionError(f"{factor!r} has no known relationship among its levels; those with one are {listed}.")
    group = related[0]
    weights = _weights(fitted.effects_of(group), effect)
    modes = random_effects(fitted)[group]
    error = np.einsum("i,lij,j->l", weights, mode_covariances(fitted, "prediction")[group], weights)
    precision = fitted.problem.terms[fitted.terms_of[group][0]].precision
    assert precision is not None
    prior = precision.diagonal * sum(
        fitted.sigma2 * float(np.square(w @ fitted.fit.templates[t]).sum())
        for t, w in zip(fitted.terms_of[group], _by_term(fitted, group, weights), strict=True)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        reliability = np.where(prior > 0, 1.0 - error / prior, np.nan)
    table = {"value": modes.to_numpy() @ weights, "se": np.sqrt(error), "pev": error, "reliability": reliability}
    return pd.DataFrame(table, index=modes.index)


def _weights(names: list[str], effect: str | Mapping[str, float] | None) -> np.ndarray:
    """Weight of each effect of a group."""
    given: Mapping[str, float] = {names[0] if effect is None else str(effect): 1.0}
    if isinstance(effect, Mapping):
        given = effect
    for name in given:
        if name not in names:
            listed = ", ".join(map(repr, names))
            raise OptionError(f"effect: there is no effect {name!r}; use one of {listed}.{did_you_mean(name, names)}")
    return np.array([float(given.get(name, 0.0)) for name in names])


def _by_term(fitted: Fitted, group: str, weights: np.ndarray) -> list[np.ndarray]:
    """Weights of the effects of each term of the group."""
    widths = [fitted.problem.terms[t].k for t in fitted.terms_of[group]]
    return np.split(weights, np.cumsum(widths)[:-1])
