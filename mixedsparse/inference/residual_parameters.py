"""Residual variances and correlations by name, with standard errors and limits, and as matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.interface import Quantity, Residual
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.visits import Visits
from mixedsparse.ground.checks import check_level
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.inference.parameters import Parameter
from mixedsparse.inference.residual_moves import joint_covariance, joint_moves

if TYPE_CHECKING:
    from mixedsparse.data.formula.residual import ResidualSide
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["deviations", "quantities", "residual_cov", "residual_parameters", "residual_params"]

# Step of the differences that take standard errors from phi to what users know.
_STEP = 1e-6
_COLUMNS = ["structure", "parameter", "estimate", "se", "lower", "upper"]


def quantities(side: ResidualSide, phi: np.ndarray) -> list[Quantity]:
    """Return what users know of R at phi: strata by their deviations; sigma, of kind "sd", where none has a name."""
    spread, inner = _parts(side.structure)
    own = 0 if spread is None else spread.size
    out: list[Quantity] = []
    if spread is not None and side.strata and not isinstance(inner, Visits):
        assert side.stratum is not None
        rows = np.unique(side.stratum, return_index=True)[1]
        sizes = np.exp(0.5 * spread.W[rows] @ phi[:own])
        out += [Quantity("sd", label, float(size)) for label, size in zip(side.strata, sizes, strict=True)]
    elif spread is not None:
        out += spread.quantities(phi[:own])
    if inner is not None:
        out += inner.quantities(phi[own:])
    if not any(found.kind == "sd" for found in out) or (isinstance(inner, Visits) and not inner.template.het):
        out = [found for found in out if found.kind != "sd"]
        out.insert(0, Quantity("sd", "", 1.0))
    return out


def _parts(structure: Residual) -> tuple[Dispersion | None, Residual | None]:
    """Variances by covariates, and correlations, of which a structure has one or both."""
    if isinstance(structure, Product):
        return structure.spread, structure.inner
    return (structure, None) if isinstance(structure, Dispersion) else (None, structure)


def deviations(fitted: Fitted) -> list[tuple[str, float]]:
    """Residual standard deviations in units of y by stratum or visit; sigma alone where there are neither."""
    side, phi = fitted.design.residual, fitted.fit.residual
    if side is None or phi is None:
        return [("", fitted.sigma)]
    return [(q.label, fitted.sigma * q.value) for q in quantities(side, phi) if q.kind == "sd"]


def _name(quantity: Quantity, side: ResidualSide) -> str:
    """Name of a parameter as users see it."""
    if quantity.kind == "sd":
        return f"sd({quantity.label})" if quantity.label else "sigma"
    if quantity.kind == "cor":
        return f"cor({quantity.label})" if quantity.label != side.group else "cor"
    return f"log variance({quantity.label})"


def residual_parameters(fitted: Fitted) -> list[Parameter]:
    """Return the parameters of the residual covariance but for sigma, as they are selected by name."""
    side, phi = fitted.design.residual, fitted.fit.residual
    if side is None or phi is None:
        return []
    named = [(_name(quantity, side), quantity.kind, i) for i, quantity in enumerate(quantities(side, phi))]
    return [Parameter(name, kind, number=i) for name, kind, i in named if name != "sigma"]


def residual_params(fitted: Fitted, level: float = 0.95) -> pd.DataFrame:
    """Return the table of the residual parameters; see `MixedResults.residual_params`."""
    check_level(level)
    side, phi = fitted.design.residual, fitted.fit.residual
    if side is None or phi is None:
        return pd.DataFrame([("", "sigma", fitted.sigma, np.nan, np.nan, np.nan)], columns=_COLUMNS)
    found = quantities(side, phi)
    kinds = np.array([q.kind for q in found])
    estimate = np.array([q.value for q in found]) * np.where(kinds == "sd", fitted.sigma, 1.0)
    # Standard deviations by their logarithms, correlations on Fisher's scale; log sigma^2 is the last parameter.
    slopes = np.column_stack([_slopes(side, phi), np.where(kinds == "sd", 0.5, 0.0)])
    moves = joint_moves(fitted)
    covariance = joint_covariance(moves, fitted.problem.degrees(fitted.reml))[-len(phi) - 1 :, -len(phi) - 1 :]
    error = np.sqrt(np.maximum(np.einsum("qi,ij,qj->q", slopes, covariance, slopes), 0.0))
    half = float(ndtri(0.5 + 0.5 * level)) * error * np.array([[-1.0], [1.0]])
    place = _scaled(kinds, estimate)
    lower, upper = (_unscaled(kinds, place + h) for h in half)
    stretch = np.select([kinds == "sd", kinds == "cor"], [estimate, 1.0 - estimate**2], 1.0)
    structure = [side.kind if q.kind == "cor" or not side.dispersion else "dispersion" for q in found]
    names = [_name(q, side) for q in found]
    return pd.DataFrame(dict(zip(_COLUMNS, (structure, names, estimate, stretch * error, lower, upper), strict=True)))


def _scaled(kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.select([kinds == "sd", kinds == "cor"], [np.log(values), np.arctanh(values)], values)


def _unscaled(kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.select([kinds == "sd", kinds == "cor"], [np.exp(values), np.tanh(values)], values)


def _slopes(side: ResidualSide, phi: np.ndarray) -> np.ndarray:
    """Differentiate the scaled quantities over sigma in phi, (quantities, size)."""

    def at(values: np.ndarray) -> np.ndarray:
        found = quantities(side, values)
        return _scaled(np.array([q.kind for q in found]), np.array([q.value for q in found]))

    steps = _STEP * np.maximum(1.0, np.abs(phi))
    moved = [
        (at(phi + h * unit) - at(phi - h * unit)) / (2.0 * h) for h, unit in zip(steps, np.eye(len(phi)), strict=True)
    ]
    return np.array(moved).T


def residual_cov(fitted: Fitted, group: Any = None) -> pd.DataFrame:
    """Return the residual covariance of a group; see `MixedResults.residual_cov`."""
    side, phi = fitted.design.residual, fitted.fit.residual
    if side is None or phi is None:
        return pd.DataFrame([[fitted.sigma2]], index=["Residual"], columns=["Residual"])
    spread, inner = _parts(side.structure)
    if inner is None:
        if not side.strata:
            raise OptionError(
                "residual_cov() of a dispersion by numbers is another one for every row: marginal_cov(rows) has that "
                "of rows, and residual_params the coefficients."
            )
        if group is not None:
            raise OptionError("residual_cov(group=) is for residuals that are correlated within groups.")
        sizes = [size**2 for _, size in deviations(fitted)]
        return pd.DataFrame(np.diag(sizes), index=list(side.strata), columns=list(side.strata))
    if group is None and isinstance(inner, Visits) and spread is None:
        R = inner.template.covariance(phi)
        return pd.DataFrame(fitted.sigma2 * R, index=list(inner.labels), columns=list(inner.labels))
    assert inner.groups is not None
    at = np.flatnonzero(inner.groups == _group(side, inner.groups, group))
    labels = fitted.design.index[at]
    between = side.structure.at(phi).between(at)
    return pd.DataFrame(fitted.sigma2 * between, index=labels, columns=labels)


def _group(side: ResidualSide, groups: np.ndarray, group: Any) -> int:
    """Find the number of a group by its name; of the one with most rows where none is given."""
    if group is None:
        return int(np.bincount(groups).argmax())
    assert side.groups is not None
    names = [str(level) for level in side.groups]
    if str(group) not in names:
        raise DataError(f"group={group!r} is not a level of {side.group}; the first are {', '.join(names[:5])}.")
    return names.index(str(group))
