"""Covariances of random effects from what a user hypothesises: standard deviations and correlations, or matrices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.ground.errors import OptionError

__all__ = ["is_number", "named_values", "relative_factors"]

# Share of the largest eigenvalue that rounding may take a covariance below zero.
_ROUNDING = 1e-10


def relative_factors(
    terms: Sequence[RandomTerm], random: Mapping[str, Any], correlations: Mapping[str, Any], sigma: float
) -> tuple[np.ndarray, ...]:
    """Lower-triangular Lambda_t of each term: sigma^2 Lambda Lambda' is the covariance hypothesised."""
    effects: dict[str, list[str]] = {}
    for term in terms:
        effects.setdefault(term.group, []).extend(term.columns)
    for what, given in (("random", random), ("correlations", correlations)):
        _check_groups(what, given, effects)
    absent = [group for group in effects if group not in random]
    if absent:
        wanted = ", ".join(f"{group!r} ({', '.join(effects[group])})" for group in absent)
        raise OptionError(f"random= says nothing of {wanted}: give standard deviations by effect, 0 for none.")
    covariances = {
        group: _covariance(group, names, random[group], correlations.get(group)) for group, names in effects.items()
    }
    return tuple(
        _root(covariances[t.group].loc[list(t.columns), list(t.columns)].to_numpy(), t.group) / sigma for t in terms
    )


def named_values(given: Any, names: Sequence[str], what: str) -> np.ndarray:
    """Numbers (len(names),) of a dict or Series by name, 0 where it says nothing."""
    if isinstance(given, pd.Series):
        given = given.to_dict()
    if not isinstance(given, Mapping):
        raise OptionError(f"{what} must be a dict of numbers by name, with names among: {', '.join(names)}.")
    for name, value in given.items():
        if name not in names:
            raise OptionError(f"{what} names {name!r}, which the formula does not give. Names: {', '.join(names)}.")
        if not is_number(value):
            raise OptionError(f"{what} says {value!r} of {name!r}: give a number.")
    return np.array([float(given.get(name, 0.0)) for name in names])


def is_number(value: Any) -> bool:
    """Whether `value` is one finite number."""
    return isinstance(value, Real) and math.isfinite(value)


def _check_groups(what: str, given: Any, effects: Mapping[str, list[str]]) -> None:
    if not isinstance(given, Mapping):
        raise OptionError(f"{what}= must be a dict by grouping factor: {', '.join(map(repr, effects))}.")
    for group in given:
        if group not in effects:
            known = ", ".join(map(repr, effects))
            raise OptionError(f"{what}= names {group!r}, which is no grouping factor of the formula. Factors: {known}.")


def _covariance(group: str, names: list[str], given: Any, correlation: Any) -> pd.DataFrame:
    """Covariance (k, k) of all effects of one grouping factor."""
    if isinstance(given, pd.DataFrame):
        if sorted(given.index) != sorted(names) or sorted(given.columns) != sorted(names):
            raise OptionError(f"The covariance of {group!r} must have rows and columns {', '.join(names)}.")
        if correlation is not None:
            raise OptionError(f"random= gives a whole covariance for {group!r}, so correlations= must not name it.")
        return given.astype(float)
    if is_number(given) and len(names) == 1:
        given = {names[0]: given}
    sd = named_values(given, names, f"random[{group!r}]")
    if (sd < 0).any():
        raise OptionError(f"random[{group!r}] has a negative standard deviation.")
    matrix = _correlation(group, names, correlation)
    return pd.DataFrame(matrix * np.outer(sd, sd), index=names, columns=names)


def _correlation(group: str, names: list[str], given: Any) -> np.ndarray:
    """Correlations (k, k): none, one number for all pairs, or numbers by pair of effects."""
    out = np.eye(len(names))
    if given is None:
        return out
    if isinstance(given, Mapping):
        pairs = {}
        for pair, value in given.items():
            if not (isinstance(pair, tuple) and len(pair) == 2 and set(pair) <= set(names) and pair[0] != pair[1]):
                raise OptionError(
                    f"correlations[{group!r}] names {pair!r}: give pairs of two effects among {', '.join(names)}."
                )
            pairs[names.index(pair[0]), names.index(pair[1])] = value
    else:
        pairs = {(i, j): given for i, j in zip(*np.triu_indices(len(names), 1), strict=True)}
    for (i, j), value in pairs.items():
        if not (is_number(value) and -1 <= value <= 1):
            raise OptionError(f"correlations[{group!r}] says {value!r}: a correlation lies between -1 and 1.")
        out[i, j] = out[j, i] = float(value)
    return out


def _root(covariance: np.ndarray, group: str) -> np.ndarray:
    """Lower-triangular root of a covariance that may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    if values.min() < -_ROUNDING * max(values.max(), 0.0) or not np.allclose(covariance, covariance.T):
        raise OptionError(
            f"The standard deviations and correlations of {group!r} make no covariance matrix: its smallest "
            f"eigenvalue is {values.min():.3g}. Use correlations nearer to 0."
        )
    root = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r").T
    return np.asarray(root * np.where(np.diagonal(root) < 0, -1.0, 1.0))
