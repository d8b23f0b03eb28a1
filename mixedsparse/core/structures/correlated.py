"""Standard deviations and a matrix of correlations that has few parameters: Sigma_ij = s_i s_j R_ij(omega).

Phi holds the standard deviations over sigma, one for each effect or one for all, and then the shapes omega. A single
standard deviation is even in Sigma; one of several is not, since its sign is that of the correlations of its effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mixedsparse.core.structures.interface import Natural, Parameter
from mixedsparse.core.structures.triangles import triangle_of

__all__ = ["Correlated", "folded"]


@dataclass(frozen=True, slots=True)
class Correlated:
    """Covariance of `k` effects by deviations and shapes; see `interface.Structure`.

    Attributes
    ----------
    k : int
    hom : bool
        Whether all standard deviations are equal.
    """

    k: int
    hom: bool = False
    # Least and largest canonical value of a shape.
    range_of_shapes: ClassVar[tuple[float, float]] = (-np.pi / 2, np.pi / 2)
    name: ClassVar[str] = ""

    @property
    def n_scales(self) -> int:
        """Number of standard deviations."""
        return 1 if self.hom else self.k

    @property
    def n_shapes(self) -> int:
        """Number of shapes."""
        return 1

    @property
    def size(self) -> int:
        """Number of deviations and shapes."""
        return self.n_scales + self.n_shapes

    @property
    def label(self) -> str:
        """Name, with ``hom`` or ``het`` in front where it is not what the name alone stands for."""
        return f"hom{self.name}" if self.hom else self.name

    def correlation(self, shape: np.ndarray) -> np.ndarray:
        """Correlations R (k, k)."""
        raise NotImplementedError

    def correlation_root(self, shape: np.ndarray) -> np.ndarray:
        """Any root of R, (k, r)."""
        raise NotImplementedError

    def correlation_slopes(self, shape: np.ndarray) -> np.ndarray:
        """DR / domega, (shapes, k, k)."""
        raise NotImplementedError

    def correlation_bend(self, shape: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Sum over a, c of G_ac d^2 R_ac / domega^2, (shapes, shapes)."""
        raise NotImplementedError

    def shape_near(self, correlation: np.ndarray) -> np.ndarray:
        """Shapes whose R is near a matrix of correlations."""
        raise NotImplementedError

    def correlations_of(self, correlation: np.ndarray) -> np.ndarray:
        """Correlations that are reported, in an R that has the structure."""
        raise NotImplementedError

    def fold(self, shape: np.ndarray) -> np.ndarray:
        """Shapes of the same R within their range."""
        return folded(shape)

    def natural_correlations(self, shape: np.ndarray) -> list[tuple[float, np.ndarray, int | None]]:
        """Value, slope in the shapes and lag of each correlation that is reported."""
        raise NotImplementedError

    def parameters(self) -> tuple[Parameter, ...]:
        """Return standard deviations and shapes."""
        low, high = self.range_of_shapes
        shapes = tuple(Parameter(f"omega[{i}]", "shape", low, high) for i in range(self.n_shapes))
        if self.hom:
            return Parameter("sd", "scale", 0.0, np.inf), *shapes
        return (*(Parameter(f"sd[{i}]", "scale", 0.0, np.inf, i, even=False) for i in range(self.k)), *shapes)

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Triangle of the root of R, its rows times the deviations."""
        s, shape = self._parts(phi)
        return s[:, None] * triangle_of(self.correlation_root(shape))

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """s_j R_ij in row and column i for deviation i; s s' times the slopes of R."""
        s, shape = self._parts(phi)
        R = self.correlation(shape)
        out = np.zeros((self.size, self.k, self.k))
        if self.hom:
            out[0] = 2.0 * s[0] * R
        else:
            at = np.arange(self.k)
            out[at, at] = R * s
            out[: self.k] += out[: self.k].swapaxes(1, 2)
        out[self.n_scales :] = np.outer(s, s) * self.correlation_slopes(shape)
        return out

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Second derivatives: products of two factors that move, and the bend of R."""
        s, shape = self._parts(phi)
        R, m = self.correlation(shape), self.n_scales
        mixed = 2.0 * np.einsum("ij,mij,j->im", scores, self.correlation_slopes(shape), s)
        out = np.zeros((self.size, self.size))
        out[:m, :m] = 2.0 * (np.vdot(scores, R) if self.hom else scores * R)
        out[:m, m:] = mixed.sum(axis=0) if self.hom else mixed
        out[m:, :m] = out[:m, m:].T
        out[m:, m:] = self.correlation_bend(shape, scores * np.outer(s, s))
        return out

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Deviations not negative, shapes within their range."""
        scales = phi[: self.n_scales]
        scales = np.abs(scales) if self.hom else np.maximum(scales, 0.0)
        return np.concatenate([scales, self.fold(phi[self.n_scales :])])

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Roots of the diagonal, and the shapes of the correlations."""
        s = np.sqrt(np.maximum(np.diagonal(sigma), 0.0))
        positive = np.where(s > 0, s, 1.0)
        shape = self.shape_near(sigma / np.outer(positive, positive))
        return np.concatenate([[np.sqrt(np.mean(s**2))] if self.hom else s, shape])

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        """Return the deviations and correlations."""
        unit = np.eye(self.size)
        out = [Natural("sd", () if self.hom else (i,), float(phi[i]), unit[i]) for i in range(self.n_scales)]
        for value, slope, lag in self.natural_correlations(phi[self.n_scales :]):
            out.append(Natural("cor", (), value, np.concatenate([np.zeros(self.n_scales), slope]), lag))
        return tuple(out)

    def read(self, sigma: np.ndarray) -> np.ndarray:
        """Roots of the diagonal, or of its mean, and the correlations."""
        s = np.sqrt(np.maximum(np.diagonal(sigma), 0.0))
        there = np.flatnonzero(s > 0)
        R = sigma[np.ix_(there, there)] / np.outer(s[there], s[there])
        correlations = self.correlations_of(R) if len(there) == self.k else np.full(self.n_shapes, np.nan)
        return np.concatenate([[np.sqrt(np.mean(s**2))] if self.hom else s, correlations])

    def _parts(self, phi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Deviations (k,) and shapes."""
        return np.broadcast_to(phi[: self.n_scales], self.k), phi[self.n_scales :]


def folded(omega: np.ndarray) -> np.ndarray:
    """Angles between -pi/2 and pi/2 that have the same sine."""
    return np.asarray(np.arcsin(np.sin(omega))) if (np.abs(omega) > np.pi / 2).any() else omega
