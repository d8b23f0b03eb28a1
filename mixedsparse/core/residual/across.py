"""Covariances of the residuals of new rows with those of the rows of a fit, in the same groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mixedsparse.core.residual.exchangeable import Exchangeable
from mixedsparse.core.residual.interface import Residual
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.series import Series
from mixedsparse.core.residual.visits import Visits

__all__ = ["NewPlaces", "across", "expected_residuals"]


@dataclass(frozen=True, slots=True, eq=False)
class NewPlaces:
    """Where new rows stand.

    Attributes
    ----------
    groups : ndarray of int, shape (r,)
        Group of the fit, -1 for one that it does not have.
    order : ndarray, shape (r,)
        Time in a series, or number of a visit; NaN where it is missing. Empty for groups without order.
    deviations : ndarray, shape (r,)
        Standard deviations by the dispersion and the prior weights, over sigma.
    """

    groups: np.ndarray
    order: np.ndarray
    deviations: np.ndarray


def expected_residuals(structure: Residual, phi: np.ndarray, new: NewPlaces, precise: np.ndarray) -> np.ndarray:
    """R_no R_oo^-1 e (r,): what the residuals e of the rows of a group tell of those of its new rows.

    Parameters
    ----------
    structure : Residual
    phi : ndarray, shape (size,)
    new : NewPlaces
    precise : ndarray, shape (n,)
        R^-1 e, e times the root of the prior weights.
    """
    out = np.zeros(len(new.groups))
    for chosen, at in _groups(structure, new):
        out[chosen] = new.deviations[chosen] * (across(structure, phi, new, chosen, at) @ precise[at])
    return out


def _groups(structure: Residual, new: NewPlaces) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the new rows and the rows of the fit of each group that has both."""
    own = structure.groups
    assert own is not None
    order = np.argsort(own, kind="stable")
    stops = np.cumsum(np.bincount(own))
    for group in np.unique(new.groups[new.groups >= 0]):
        start = 0 if group == 0 else stops[group - 1]
        yield np.flatnonzero(new.groups == group), order[start : stops[group]]


def across(structure: Residual, phi: np.ndarray, new: NewPlaces, chosen: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Covariances (c, m), over those deviations of new rows, of the new rows `chosen` with the rows `at` of a fit."""
    if isinstance(structure, Product):
        own = structure.spread.size
        sizes = structure.spread.at(phi[:own]).deviations[at]
        return across(structure.inner, phi[own:], new, chosen, at) * sizes
    if isinstance(structure, Exchangeable):
        return np.full((len(chosen), len(at)), structure.at(phi).rho)
    order = new.order[chosen]
    if isinstance(structure, Series):
        gaps = np.abs(order[:, None] - structure.times[at])
        rho = structure.rho(phi)
        return np.asarray(np.where(np.isnan(gaps), np.nan, np.power(rho, np.where(np.isnan(gaps), 0.0, gaps))))
    assert isinstance(structure, Visits)
    R = structure.template.covariance(phi)
    known = np.where(np.isnan(order), 0, order).astype(int)
    return np.where(np.isnan(order)[:, None], np.nan, R[np.ix_(known, structure.visits[at])])
