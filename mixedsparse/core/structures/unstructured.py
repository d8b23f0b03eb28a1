"""Any covariance: phi is the lower triangle Lambda itself, column by column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.structures.interface import Natural, Parameter

__all__ = ["Unstructured", "semidefinite_root"]

# A pivot below this share of its diagonal means that the term's columns are linearly dependent.
_PIVOT_TOL = 1e-13


@dataclass(frozen=True, slots=True)
class Unstructured:
    """Covariance of `k` effects by its k (k + 1) / 2 variances and covariances; see `interface.Structure`."""

    k: int

    @property
    def size(self) -> int:
        """Number of entries of the triangle."""
        return self.k * (self.k + 1) // 2

    @property
    def label(self) -> str:
        """Return ``"us"``."""
        return "us"

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the entries of Lambda."""
        return tuple(
            Parameter(f"Lambda[{r}, {c}]", "scale", 0.0 if r == c else -np.inf, np.inf, int(r))
            for r, c in zip(*self.places, strict=True)
        )

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Lambda, filled column by column."""
        lam = np.zeros((self.k, self.k))
        lam[self.places] = phi
        return lam

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """D_i = E_rs Lambda' + Lambda E_sr for the entry (r, s)."""
        row, col = self.places
        half = np.zeros((self.size, self.k, self.k))
        half[np.arange(self.size), row] = self.factor(phi).T[col]
        return half + half.swapaxes(1, 2)

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """2 G_rr' between entries (r, s) and (r', s) of the same column s."""
        row, col = self.places
        return np.asarray(2.0 * scores[row[:, None], row] * (col[:, None] == col))

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Diagonal not negative, and a zero column wherever a pivot is zero."""
        lam = self.factor(phi)
        lam = lam * np.where(np.diagonal(lam) < 0, -1.0, 1.0)
        return self.entries(lam if (np.diagonal(lam) > 0).all() else semidefinite_root(lam @ lam.T))

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Triangle of `sigma` itself."""
        return self.entries(semidefinite_root(sigma))

    def entries(self, lam: np.ndarray) -> np.ndarray:
        """Phi of a triangle (k, k)."""
        return np.asarray(lam[self.places])

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        """Return the standard deviations and the correlations, NaN where an effect has no variance."""
        lam, slopes = self.factor(phi), self.slopes(phi)
        sigma = lam @ lam.T
        sd = np.sqrt(np.diagonal(sigma))
        with np.errstate(divide="ignore", invalid="ignore"):
            rises = 0.5 * np.diagonal(slopes, axis1=1, axis2=2) / sd
            out = [Natural("sd", (i,), float(sd[i]), rises[:, i]) for i in range(self.k)]
            for j in range(self.k):
                for i in range(j + 1, self.k):
                    rho = sigma[i, j] / (sd[i] * sd[j])
                    slope = slopes[:, i, j] / (sd[i] * sd[j]) - rho * (rises[:, i] / sd[i] + rises[:, j] / sd[j])
                    out.append(Natural("cor", (j, i), float(rho), slope))
        return tuple(out)

    def read(self, sigma: np.ndarray) -> np.ndarray:
        """Roots of the diagonal, and the correlations."""
        sd = np.sqrt(np.diagonal(sigma))
        with np.errstate(divide="ignore", invalid="ignore"):
            R = sigma / np.outer(sd, sd)
        return np.concatenate([sd, R[np.triu_indices(self.k, 1)]])

    @property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the entries."""
        col, row = np.triu_indices(self.k)
        return row, col


def semidefinite_root(sigma: np.ndarray) -> np.ndarray:
    """Lower-triangular root of a semidefinite matrix, with zero columns for zero pivots."""
    root = np.zeros_like(sigma)
    rest = sigma.copy()
    for j in range(len(sigma)):
        if rest[j, j] > _PIVOT_TOL * max(sigma[j, j], 1e-300):
            root[j:, j] = rest[j:, j] / np.sqrt(rest[j, j])
            rest -= np.outer(root[:, j], root[:, j])
    return root
