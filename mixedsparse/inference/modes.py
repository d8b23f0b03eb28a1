"""Conditional modes of the random effects, and their covariances."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd

from mixedsparse.fitted.digits import known_covariances
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.choices import Errors
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.labels import read_only

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["conditional_cov", "level_coefficients", "mode_covariances", "mode_errors", "random_effects"]

# What the errors of modes allow for -> what is refused after an iterative fit, and what there is instead.
_ERRORS = {
    "conditional": (
        "The conditional covariance of all random effects",
        "Ask conditional_cov(group, levels) for chosen levels",
    ),
    "prediction": (
        "The covariance of the errors of all random effects",
        "Ask conditional_cov(group, levels) for chosen levels, with the coefficients taken as known",
    ),
}


def random_effects(fitted: Fitted) -> dict[str, pd.DataFrame]:
    """Conditional modes by grouping factor; see `MixedResults.random_effects`."""
    out = {}
    for group, terms in fitted.terms_of.items():
        index = pd.Index(fitted.problem.terms[terms[0]].levels, name=group)
        modes = np.hstack([fitted.fit.modes[t] for t in terms])
        out[group] = pd.DataFrame(read_only(modes), index=index, columns=fitted.effects_of(group))
    return out


def level_coefficients(fitted: Fitted) -> dict[str, pd.DataFrame]:
    """Add fixed effects and conditional modes of the same name, level by level; see `MixedResults.coef`."""
    fixed = pd.Series(fitted.fit.beta, index=fitted.x_names)
    out = {}
    for group, modes in random_effects(fitted).items():
        # Several terms on one factor may have an effect in common.
        sums = modes.T.groupby(level=0, sort=False).sum().T if modes.columns.has_duplicates else modes
        columns = list(dict.fromkeys([*fixed.index, *sums.columns]))
        out[group] = sums.reindex(columns=columns, fill_value=0.0) + fixed.reindex(columns, fill_value=0.0)
    return out


def mode_covariances(fitted: Fitted, errors: str) -> dict[str, np.ndarray]:
    """Covariances (levels, k, k) of the errors of modes by grouping factor, made once and kept.

    ``"conditional"``: given y and the coefficients, `MixedResults.random_effects_cov`; ``"prediction"``: coefficients
    estimated, `MixedResults.random_effects_error_cov`.
    """
    one_of("errors", errors, get_args(Errors))
    fitted.needs("factor", *_ERRORS[errors])
    return fitted.once(f"{errors} covariances", lambda own: _of_groups(own, own.mode_covariances(errors)))


def mode_errors(fitted: Fitted, errors: str) -> dict[str, np.ndarray]:
    """Return standard deviations (levels, k) of the random effects around their modes; `errors` as there."""
    covariances = mode_covariances(fitted, errors)
    return {g: np.sqrt(np.diagonal(cov, axis1=1, axis2=2)) for g, cov in covariances.items()}


def _of_groups(fitted: Fitted, blocks: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Covariances (levels, K, K) per block as grouping factor -> array (levels, k, k)."""
    out = {}
    for group, terms in fitted.terms_of.items():
        block, inside = _places_of(fitted, terms)
        cov = known_covariances(blocks[block], f"variances of random effects of {group!r}")
        out[group] = read_only(cov if inside == list(range(cov.shape[1])) else cov[:, inside][:, :, inside])
    return out


def _places_of(fitted: Fitted, terms: list[int]) -> tuple[int, list[int]]:
    """Block of one grouping factor, and the columns of its terms there: factors with equal codes share a block."""
    layout = fitted.problem.layout
    inside = [layout.term_start[t] + i for t in terms for i in range(fitted.problem.terms[t].k)]
    return layout.term_block[terms[0]], inside


def conditional_cov(fitted: Fitted, group: str, levels: Any) -> dict[Any, pd.DataFrame]:
    """Conditional covariance of chosen levels; see `MixedResults.conditional_cov`."""
    if group not in fitted.terms_of:
        known = ", ".join(map(repr, fitted.terms_of))
        raise OptionError(f"group={group!r} is not a grouping factor; use one of {known}.")
    terms = fitted.terms_of[group]
    index = pd.Index(fitted.problem.terms[terms[0]].levels)
    single = not isinstance(levels, Collection) or isinstance(levels, str | bytes)
    labels = [levels] if single else list(levels)
    codes = index.get_indexer(pd.Index(labels))
    if len(labels) and codes.min() < 0:
        absent = labels[int(np.argmin(codes))]
        raise OptionError(f"levels: {group!r} has no level {absent!r}; see random_effects[{group!r}].index.")
    if fitted.knows_all_levels:
        cov = mode_covariances(fitted, "conditional")[group][codes]
    else:
        block, inside = _places_of(fitted, terms)
        cov = fitted.level_covariances(block, codes)[:, inside][:, :, inside]
    names = fitted.effects_of(group)
    return {label: pd.DataFrame(c, index=names, columns=names) for label, c in zip(labels, cov, strict=True)}
