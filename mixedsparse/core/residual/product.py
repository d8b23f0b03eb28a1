"""Variances that differ from row to row, and correlations within groups: R = D^1/2 C D^1/2.

With D^-1/2 taken out of the columns first, L = D^1/2 L_C. A parameter of D with dD / dphi = D W_i moves R by
(W_i R + R W_i) / 2.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import block_diag

from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.interface import Centred, Entries, Quantity, Residual

__all__ = ["Product"]


class Product:
    """Residual with `spread` in its variances and `inner` between rows; see `interface.Residual`.

    The parameters of `spread` come first.
    """

    def __init__(self, spread: Dispersion, inner: Residual) -> None:
        self.spread, self.inner = spread, inner

    @property
    def size(self) -> int:
        """See `Residual.size`."""
        return self.spread.size + self.inner.size

    @property
    def groups(self) -> np.ndarray | None:
        """See `Residual.groups`."""
        return self.inner.groups

    @property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """See `Residual.joined`."""
        return self.inner.joined

    def at(self, phi: np.ndarray) -> _At:
        """See `Residual.at`."""
        return _At(self, np.asarray(phi, dtype=float))

    def start(self, residuals: np.ndarray) -> np.ndarray:
        """See `Residual.start`."""
        own = self.spread.start(residuals)
        white = self.spread.at(own).whiten(residuals[:, None])[:, 0]
        return np.concatenate([own, self.inner.start(white)])

    def centred(self) -> Centred:
        """See `Residual.centred`."""
        own, more = self.spread.centred(), np.zeros(self.inner.size)
        assert isinstance(own.residual, Dispersion)
        back = block_diag(own.back, np.eye(self.inner.size))
        return Centred(Product(own.residual, self.inner), back, np.concatenate([own.means, more]))

    def on_rows(self, at: np.ndarray, phi: np.ndarray) -> tuple[Product, np.ndarray]:
        """See `Residual.on_rows`."""
        own = self.spread.size
        (spread, first), (inner, second) = self.spread.on_rows(at, phi[:own]), self.inner.on_rows(at, phi[own:])
        return Product(spread, inner), np.concatenate([first, second])

    def quantities(self, phi: np.ndarray) -> list[Quantity]:
        """See `Residual.quantities`."""
        own = self.spread.size
        return self.spread.quantities(phi[:own]) + self.inner.quantities(phi[own:])


class _At:
    """See `interface.ResidualAt`."""

    def __init__(self, family: Product, phi: np.ndarray) -> None:
        self.family, self.phi = family, phi
        self.own = family.spread.size
        self.spread, self.inner = family.spread.at(phi[: self.own]), family.inner.at(phi[self.own :])
        self.logdet = self.spread.logdet + self.inner.logdet

    @property
    def slopes(self) -> np.ndarray:
        """See `ResidualAt.slopes`."""
        return np.concatenate([self.spread.slopes, self.inner.slopes])

    def whiten(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.whiten`."""
        return self.inner.whiten(self.spread.whiten(columns))

    def innovations(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.innovations`."""
        return self.inner.innovations(self.spread.whiten(columns))

    def colour(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.colour`."""
        return self.spread.colour(self.inner.colour(columns))

    def transposed(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.transposed`."""
        return self.inner.transposed(self.spread.colour(columns))

    def precision(self, columns: np.ndarray) -> np.ndarray:
        """See `ResidualAt.precision`."""
        return self.spread.whiten(self.inner.precision(self.spread.whiten(columns)))

    def forms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """See `ResidualAt.forms`; half of left'(R^-1 W_i + W_i R^-1)right."""
        W, inner, total = self.family.spread.W, self.inner, np.empty(self.own)
        a, b = self.spread.whiten(left), self.spread.whiten(right)
        white_a, white_b = inner.whiten(a), inner.whiten(b)
        for i in range(self.own):
            turned = inner.whiten(W[:, i, None] * b)
            other = turned if left is right else inner.whiten(W[:, i, None] * a)
            total[i] = 0.5 * (np.einsum("ij,ij->", white_a, turned) + np.einsum("ij,ij->", white_b, other))
        return np.concatenate([total, inner.forms(a, b)])

    def moved(self, columns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """See `ResidualAt.moved`; half of (L_C^-1 W' L_C + L_C'W'L_C'^-1) times the white columns."""
        scaled, w = self.spread.whiten(columns), (self.family.spread.W @ direction[: self.own])[:, None]
        out = self.inner.moved(scaled, direction[self.own :])
        if direction[: self.own].any():
            out = out + 0.5 * (self.inner.whiten(w * scaled) + self.inner.transposed(w * self.inner.precision(scaled)))
        return out

    def working(self, e: np.ndarray) -> np.ndarray:
        """See `ResidualAt.working`."""
        units = np.eye(self.family.size)[: self.own]
        own = [self.moved(e[:, None], unit) for unit in units]
        return np.column_stack([*own, self.inner.working(self.spread.whiten(e[:, None])[:, 0])])

    def _scaled(self, entries: Entries) -> Entries:
        """D^-1/2 from both sides."""
        size = self.spread.deviations
        first, second = self.family.joined
        return Entries(entries.diagonal / size**2, entries.pairs / (size[first] * size[second]))

    def inverse(self) -> Entries:
        """See `ResidualAt.inverse`."""
        return self._scaled(self.inner.inverse())

    def turned(self, entries: Entries) -> np.ndarray:
        """See `ResidualAt.turned`; half of R^-1 W_i + W_i R^-1 for a parameter of D."""
        W, (first, second) = self.family.spread.W, self.family.joined
        scaled, own = self._scaled(entries), self.inner.inverse()
        pairs = own.pairs * scaled.pairs
        total = (own.diagonal * scaled.diagonal) @ W + pairs @ W[first] + pairs @ W[second]
        return np.concatenate([total, self.inner.turned(scaled)])

    def variances(self) -> np.ndarray:
        """See `ResidualAt.variances`."""
        return self.spread.variances() * self.inner.variances()

    def between(self, at: np.ndarray) -> np.ndarray:
        """See `ResidualAt.between`."""
        deviations = self.spread.deviations[at]
        return np.asarray(deviations[:, None] * self.inner.between(at) * deviations)

    def degenerate(self, loose: float = 1.0) -> str:
        """See `ResidualAt.degenerate`."""
        return self.spread.degenerate(loose) or self.inner.degenerate(loose)
