"""New rows in the residual covariance of a fit: covariates of their dispersion, and their visits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.interface import Residual
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.visits import Visits
from mixedsparse.data.formula.frames import Table, missing_rows, natural, take
from mixedsparse.data.formula.kinds import Sort, sort_of
from mixedsparse.data.formula.newdata import Encoding, encode_new
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.data.formula.residual import ResidualSide

__all__ = ["NewResiduals", "new_residuals", "visits_of"]


@dataclass(frozen=True, slots=True, eq=False)
class NewResiduals:
    """What tells the residual variance of new rows.

    Attributes
    ----------
    W : ndarray, shape (r, size), or None
        Covariates of the dispersion, NaN where a variable is missing.
    visits : ndarray of int, shape (r,), or None
        Visit of each row where each has a variance of its own; -1 where it is missing.
    n : int
    """

    W: np.ndarray | None
    visits: np.ndarray | None
    n: int

    def variances(self, structure: Residual, phi: np.ndarray) -> np.ndarray:
        """Residual variances (r,) over sigma^2; NaN where something is missing."""
        if isinstance(structure, Product):
            own = structure.spread.size
            return self.variances(structure.spread, phi[:own]) * self.variances(structure.inner, phi[own:])
        if isinstance(structure, Dispersion):
            assert self.W is not None
            return np.exp(self.W @ phi)
        if isinstance(structure, Visits) and self.visits is not None:
            sizes = np.append(np.diagonal(structure.template.covariance(phi)), np.nan)
            return np.asarray(sizes[self.visits])
        return np.ones(self.n)

    def spread(self, structure: Residual, phi: np.ndarray) -> np.ndarray:
        """Variances (r,) over sigma^2 by the dispersion alone."""
        if not isinstance(structure, Product):
            return np.ones(self.n)
        return self.variances(structure.spread, phi[: structure.spread.size])


def new_residuals(side: ResidualSide, table: Table) -> NewResiduals:
    """Read the columns of ``residual=`` and ``dispersion=`` from new rows.

    Raises
    ------
    DataError
        A visit or a level of the dispersion is not one of the fit.
    """
    W = None
    if side.parsed is not None and side.encoder is not None:
        encoding = Encoding(side.parsed, side.encoder, (), None, side.env or {})
        W = encode_new(encoding, table, None).X[:, 1:]
    inner = getattr(side.structure, "inner", side.structure)
    visits = None
    if isinstance(inner, Visits) and inner.template.het:
        visits = visits_of(side, inner.labels, table)
    return NewResiduals(W, visits, table.n)


def visits_of(side: ResidualSide, labels: tuple[str, ...], table: Table) -> np.ndarray:
    """Return the number (r,) of the visit of each new row among `labels`; -1 where it is missing.

    Raises
    ------
    DataError
        A visit is not one of the fit.
    """
    column = side.order_column
    values = table.read([column], f"residual={side.residual!r} (new data)")[column]
    missing = missing_rows(values)
    known = np.arange(table.n) if missing is None else np.flatnonzero(~missing)
    plain = natural(take(values, None if missing is None else ~missing))
    is_number = sort_of(plain) is Sort.NUMBERS
    names = [f"{float(v):g}" if is_number else str(v) for v in np.asarray(plain)]
    places = {label: i for i, label in enumerate(labels)}
    unseen = sorted({name for name in names if name not in places})
    if unseen:
        raise DataError(
            f"{column!r} has {', '.join(map(repr, unseen[:5]))}, whose residual covariance the fit does not know: its "
            f"visits are {', '.join(labels)}. Leave these rows out."
        )
    out = np.full(table.n, -1)
    out[known] = [places[name] for name in names]
    return out
