"""What a residual structure is.

The residuals have the covariance sigma^2 W^-1/2 R(phi) W^-1/2, W the prior weights, for parameters phi without bounds.
Unlike a covariance of random effects, R is never singular at an optimum, so that standard deviations are parametrised
by their logarithms and correlations by curves that reach 1 at infinity only.

With R = L L', all that an engine needs is the data whitened, L^-1 [Z X y], and what the derivatives

    R_i = dR / dphi_i

do between rows: no structure knows of random effects. Where a random effect has several levels within a group of
correlated rows, whitening mixes them, and R^-1 itself is needed: its entries at the pairs of rows that it may join.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

__all__ = ["Centred", "Entries", "Quantity", "Residual", "ResidualAt"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number by which users know R, as a function of phi.

    Attributes
    ----------
    kind : {"sd", "cor", "power", "log variance"}
        Standard deviation over sigma, correlation, or a coefficient of log sigma^2.
    label : str
        Of the stratum or visit, of the two visits, or of the coefficient.
    value : float
    """

    kind: str
    label: str
    value: float


class Entries(NamedTuple):
    """Entries of a symmetric matrix (n, n): on its diagonal (n,), and at pairs of rows (pairs,)."""

    diagonal: np.ndarray
    pairs: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Centred:
    """The residual `residual` of parameters psi, for one of phi = B psi: R(phi) = exp(m'phi) R(psi).

    Attributes
    ----------
    residual : Residual
    back : ndarray, shape (size, size)
        B.
    means : ndarray, shape (size,)
        m.
    """

    residual: Residual
    back: np.ndarray
    means: np.ndarray


class ResidualAt(Protocol):
    """R at one phi; rows are in the order of the data."""

    @property
    def phi(self) -> np.ndarray:
        """Parameters (size,)."""
        ...

    @property
    def logdet(self) -> float:
        """log|R|."""
        ...

    @property
    def slopes(self) -> np.ndarray:
        """tr(R^-1 R_i), (size,): the derivative of log|R|."""
        ...

    def whiten(self, columns: np.ndarray) -> np.ndarray:
        """L^-1 times columns (n, r)."""
        ...

    def innovations(self, columns: np.ndarray) -> np.ndarray:
        """Inverse of the lower triangle of R times columns (n, r), rows of a group in their order."""
        ...

    def colour(self, columns: np.ndarray) -> np.ndarray:
        """L times columns (n, r): residuals from white noise."""
        ...

    def transposed(self, columns: np.ndarray) -> np.ndarray:
        """L' times columns (n, r)."""
        ...

    def precision(self, columns: np.ndarray) -> np.ndarray:
        """R^-1 times columns (n, r)."""
        ...

    def forms(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Sum over columns of left'R^-1 R_i R^-1 right, (size,), for columns (n, r)."""
        ...

    def moved(self, columns: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """L^-1 R' R^-1 times columns (n, r), R' = sum of R_i times `direction` (size,)."""
        ...

    def working(self, e: np.ndarray) -> np.ndarray:
        """L^-1 R_i R^-1 e, (n, size), for one vector (n,): Gilmour, Thompson & Cullis's working vectors, whitened."""
        ...

    def inverse(self) -> Entries:
        """R^-1 on its diagonal and at `Residual.joined`."""
        ...

    def turned(self, entries: Entries) -> np.ndarray:
        """tr(R^-1 R_i R^-1 W), (size,), for the entries of a symmetric W on the same places."""
        ...

    def variances(self) -> np.ndarray:
        """Diagonal of R, (n,)."""
        ...

    def between(self, at: np.ndarray) -> np.ndarray:
        """R among the rows `at` (r,), (r, r)."""
        ...

    def degenerate(self, loose: float = 1.0) -> str:
        """Say where R is singular but for `loose` times rounding, in variances; "" where it is not."""
        ...


class Residual(Protocol):
    """R(phi) of `size` parameters for the rows of one data set."""

    @property
    def size(self) -> int:
        """Number of parameters."""
        ...

    @property
    def groups(self) -> np.ndarray | None:
        """Numbers (n,) of the groups within which residuals are correlated; None where no two rows are."""
        ...

    @property
    def joined(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows (pairs,), twice: the pairs between which R^-1 may have an entry at some phi, each once."""
        ...

    def at(self, phi: np.ndarray) -> ResidualAt:
        """R at phi (size,)."""
        ...

    def start(self, residuals: np.ndarray) -> np.ndarray:
        """Phi to start from, given least-squares residuals (n,)."""
        ...

    def quantities(self, phi: np.ndarray) -> list[Quantity]:
        """Numbers by which users know R at phi."""
        ...

    def centred(self) -> Centred | None:
        """Return the same covariances in parameters that suit a search better; None where these do."""
        ...

    def on_rows(self, at: np.ndarray, phi: np.ndarray) -> tuple[Residual, np.ndarray]:
        """Return the structure of the rows `at` (r,) alone, and its parameters (size,) for which R there is R(phi)."""
        ...
