"""Variances that differ from row to row: log of the variance over sigma^2 is W phi, R diagonal."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mixedsparse.core.residual.interface import Centred, Entries, Quantity

__all__ = ["Dispersion"]

# Standard deviations of a stratum over those of another, from which on the model fits the rows of one exactly.
_LEAST = 1e-6
# Different rows of W up to which they count as strata.
_MOST_STRATA = 60
# Share of the mean square that a row keeps in the regression that gives the start.
_KEPT = 1e-3


@dataclass(frozen=True, eq=False)
class Dispersion:
    """Log-linear variances; see `interface.Residual`.

    Attributes
    ----------
    W : ndarray, shape (n, size)
        Covariates of log variance, without a constant: sigma^2 is the variance where they are 0.
    names : tuple of str
        Of the covariates.
    shown : ndarray, shape (n, size), or None
        The covariates as messages have them, where `W` is in other parameters.
    """

    W: np.ndarray
    names: tuple[str, ...]
    shown: np.ndarray | None = None
    groups: None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """Number of covariates."""
        return self.W.shape[1]

    @property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """None; see `Residual.joined`."""
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)

    @cached_property
    def is_continuous(self) -> bool:
        """Whether there are more different rows of W than strata would have."""
        rows = self if self.shown is None else Dispersion(self.shown, self.names)
        return len(rows.distinct[0]) > _MOST_STRATA

    @cached_property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """Row numbers of the first of each of the distinct rows of W, in their order, and which each row is, (n,)."""
        codes, first = np.zeros(len(self.W), dtype=np.intp), np.zeros(min(len(self.W), 1), dtype=np.intp)
        for column in self.W.T:
            values, own = np.unique(column, return_inverse=True)
            _, first, codes = np.unique(codes * len(values) + own, return_index=True, return_inverse=True)
        return first, codes

    def at(self, phi: np.ndarray) -> _At:
        """See `Residual.at`."""
        return _At(self, np.asarray(phi, dtype=float))

    def start(self, residuals: np.ndarray) -> np.ndarray:
        """Regress the log of squared residuals on W, squares near 0 raised; see `Residual.start`."""
        squares = np.square(residuals)
        columns = np.column_stack([np.ones(len(self.W)), self.W])
        inverse = np.linalg.pinv(columns)
        logs = np.log(squares + _KEPT * squares.mean())
        phi = inverse @ logs
        # Fisher scoring for a gamma response with log link has the same weights at every step.
        for _ in range(3):
            phi = phi + inverse @ (np.clip(squares / np.exp(columns @ phi), 0.0, 20.0) - 1.0)
        return np.asarray(phi[1:])

    def centred(self) -> Centred:
        """Covariates of mean 0, uncorrelated and of variance 1; see `Residual.centred`."""
        means = self.W.mean(axis=0)
        q, root = np.linalg.qr(self.W - means)
        length = np.sqrt(len(q))
        return Centred(Dispersion(q * length, self.names, self.W), np.linalg.inv(root) * length, means)

    def on_rows(self, at: np.ndarray, phi: np.ndarray) -> tuple[Dispersion, np.ndarray]:
        """See `Residual.on_rows`."""
        return Dispersion(self.W[at], self.names, None if self.shown is None else self.shown[at]), phi

    def quantities(self, phi: np.ndarray) -> list[Quantity]:
        """See `Residual.quantities`."""
        return [Quantity("log variance", name, float(value)) for name, value in zip(self.names, phi, strict=True)]


class _At:
    """See `interface.ResidualAt`."""

    def __init__(self, family: Dispersion, phi: np.ndarray) -> None:
        self.family, self.phi = family, phi
        with np.errstate(over="ignore"):
            self.logs = family.W @ phi
            self.deviations = np.exp(0.5 * self.logs)
        self.logdet = float(self.logs.sum())

    @property
    def slopes(self) -> np.ndarray:
        """See `ResidualAt.slopes`."""
        return np.asarray(self.family.W.sum(axis=0))

    def whiten(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.whiten`."""
        return columns / self.deviations[:, None]

    innovations = whiten

    def colour(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.colour`."""
        return columns * self.deviations[:, None]

    transposed = colour

    def precision(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.precision`."""
        return columns / np.square(self.deviations)[:, None]

    def forms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """See `ResidualAt.forms`."""
        return np.asarray((np.einsum("ij,ij->i", left, right) / self.deviations**2) @ self.family.W)

    def moved(self, columns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """See `ResidualAt.moved`."""
        return columns * ((self.family.W @ direction) / self.deviations)[:, None]

    def working(self, e: np.ndarray) -> np.ndarray:
        """See `ResidualAt.working`."""
        return self.family.W * (e / self.deviations)[:, None]

    def inverse(self) -> Entries:
        """See `ResidualAt.inverse`."""
        return Entries(1.0 / self.variances(), np.empty(0))

    def turned(self, entries: Entries) -> np.ndarray:
        """See `ResidualAt.turned`."""
        return np.asarray((entries.diagonal / self.variances()) @ self.family.W)

    def variances(self) -> np.ndarray:
        """See `ResidualAt.variances`."""
        return np.square(self.deviations)

    def between(self, at: np.ndarray) -> np.ndarray:
        """See `ResidualAt.between`."""
        return np.diag(self.variances()[at])

    def degenerate(self, loose: float = 1.0) -> str:
        """See `ResidualAt.degenerate`."""
        ratio = self.deviations / self.deviations.max()
        if ratio.min() > _LEAST * loose**0.5 or self.family.is_continuous:
            return ""
        W = (self.family.W if self.family.shown is None else self.family.shown)[int(ratio.argmin())]
        names = [f"{name} = {value:g}" for name, value in zip(self.family.names, W, strict=True)]
        return f"the rows with {', '.join(names)} have no residual variance beside the others"
