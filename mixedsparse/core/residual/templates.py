"""Covariances of the k visits of a group, the first with variance 1: what `visits` takes parts of.

A template is a function of phi that is analytic, so that complex arguments give its derivatives to all digits (Squire &
Trapp 1998, SIAM Review 40, 110-112): a new one is its formula and nothing else.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

__all__ = ["Autoregressive", "CompoundSymmetric", "Template", "ToeplitzTemplate", "UnstructuredTemplate", "slopes_of"]

# Step of complex differences: its square is lost beside 1, and there is no other error.
_STEP = 1e-30
# Correlations to start from are kept this far inside.
_FURTHEST = 0.9


class Template(Protocol):
    """R (k, k) of a group with every visit."""

    k: int
    het: bool

    @property
    def size(self) -> int:
        """Number of parameters."""
        ...

    def covariance(self, phi: np.ndarray) -> np.ndarray:
        """R (..., k, k) at phi (..., size), complex where that is."""
        ...

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """Phi near a positive definite covariance (k, k)."""
        ...


def slopes_of(template: Template, phi: np.ndarray) -> np.ndarray:
    """DR / dphi_i, (size, k, k)."""
    moved = phi + 1j * _STEP * np.eye(template.size)
    return np.asarray(template.covariance(moved).imag / _STEP)


class _Template:
    """Standard deviations, logarithms over the first, before the parameters of the correlations."""

    def __init__(self, k: int, het: bool) -> None:
        self.k, self.het = k, het

    @property
    def scales(self) -> int:
        """Number of standard deviations that are parameters."""
        return self.k - 1 if self.het else 0

    @property
    def shapes(self) -> int:
        """Number of parameters of the correlations."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """See `Template.size`."""
        return self.scales + self.shapes

    def correlation(self, phi: np.ndarray) -> np.ndarray:
        """Correlations (..., k, k) at their own parameters (..., shapes)."""
        raise NotImplementedError

    def covariance(self, phi: np.ndarray) -> np.ndarray:
        """See `Template.covariance`."""
        correlation = self.correlation(phi[..., self.scales :])
        if not self.het:
            return correlation
        deviations = np.exp(np.concatenate([np.zeros_like(phi[..., :1]), phi[..., : self.scales]], axis=-1))
        return deviations[..., :, None] * correlation * deviations[..., None, :]

    def shape_start(self, correlation: np.ndarray) -> np.ndarray:
        """Parameters near a correlation matrix (k, k)."""
        raise NotImplementedError

    def start(self, covariance: np.ndarray) -> np.ndarray:
        """See `Template.start`."""
        deviations = np.sqrt(np.diagonal(covariance))
        scales = np.log(deviations[1:] / deviations[0]) if self.het else np.empty(0)
        return np.concatenate([scales, self.shape_start(covariance / np.outer(deviations, deviations))])


class UnstructuredTemplate(_Template):
    """Any covariance: correlations by partial ones given the visits before, tanh(phi), filled row by row.

    With L L' the correlations, L_ij = p_ij times the root of what the columns before j leave of the row: a correlation
    matrix for any phi (Lewandowski, Kurowicka & Joe 2009), singular at infinity only.
    """

    def __init__(self, k: int) -> None:
        super().__init__(k, True)

    @property
    def shapes(self) -> int:
        """See `_Template.shapes`."""
        return self.k * (self.k - 1) // 2

    def correlation(self, phi: np.ndarray) -> np.ndarray:
        """See `_Template.correlation`."""
        lead = phi.shape[:-1]
        partial = np.zeros((*lead, self.k, self.k), dtype=phi.dtype)
        rows, columns = np.tril_indices(self.k, -1)
        partial[..., rows, columns] = np.tanh(phi)
        left = np.ones_like(partial)
        left[..., rows, columns] = 1.0 / np.cosh(phi)
        # What the columns before leave: 1 in the first, products of the roots of 1 - p^2 after it.
        before = np.cumprod(np.concatenate([np.ones_like(left[..., :1]), left[..., :-1]], axis=-1), axis=-1)
        partial[..., np.arange(self.k), np.arange(self.k)] = 1.0
        L = partial * before
        return np.asarray(L @ L.swapaxes(-1, -2))

    def shape_start(self, correlation: np.ndarray) -> np.ndarray:
        """See `_Template.shape_start`."""
        L = np.linalg.cholesky(correlation)
        before = np.sqrt(np.maximum(1.0 - np.cumsum(L**2, axis=1) + L**2, 1e-300))
        return np.arctanh(np.clip(L / before, -0.999, 0.999)[np.tril_indices(self.k, -1)])


class CompoundSymmetric(_Template):
    """One correlation, between -1 / (k - 1) and 1."""

    shapes = 1

    def correlation(self, phi: np.ndarray) -> np.ndarray:
        """See `_Template.correlation`."""
        low, eye = -1.0 / (self.k - 1), np.eye(self.k)
        rho = (low + (1.0 - low) / (1.0 + np.exp(-phi)))[..., None]
        return np.asarray(eye + rho * (1.0 - eye))

    def shape_start(self, correlation: np.ndarray) -> np.ndarray:
        """See `_Template.shape_start`."""
        low = -1.0 / (self.k - 1)
        mean = (correlation.sum() - self.k) / (self.k * (self.k - 1))
        place = np.clip((mean - low) / (1.0 - low), 0.05, 0.95)
        return np.array([np.log(place / (1.0 - place))])


class Autoregressive(_Template):
    """rho to the power of the distance, rho = tanh(phi); `places` (k,) are the times of the visits, whole numbers."""

    shapes = 1

    def __init__(self, k: int, het: bool, places: np.ndarray | None = None) -> None:
        super().__init__(k, het)
        places = self.places = np.arange(k) if places is None else places
        self.distance = np.abs(places[:, None] - places).astype(int)

    def correlation(self, phi: np.ndarray) -> np.ndarray:
        """See `_Template.correlation`."""
        rho = np.tanh(phi)[..., None]
        powers = rho ** np.arange(int(self.distance.max()) + 1)
        return np.asarray(powers[..., 0, self.distance])

    def shape_start(self, correlation: np.ndarray) -> np.ndarray:
        """See `_Template.shape_start`."""
        return np.array([np.arctanh(_near(correlation, self.distance == max(1, _least(self.distance))))])


class ToeplitzTemplate(_Template):
    """One correlation per distance, by partial autocorrelations tanh(phi) (Durbin & Levinson's recursion)."""

    @property
    def shapes(self) -> int:
        """See `_Template.shapes`."""
        return self.k - 1

    def correlation(self, phi: np.ndarray) -> np.ndarray:
        """See `_Template.correlation`."""
        partial = np.tanh(phi)
        lags = [np.ones_like(partial[..., 0])]
        weights: list[np.ndarray] = []
        left = lags[0]
        for m in range(self.k - 1):
            p = partial[..., m]
            ahead = np.zeros_like(p)
            for weight, lag in zip(weights, lags[m:0:-1], strict=True):
                ahead = ahead + weight * lag
            lags.append(ahead + p * left)
            weights = [w - p * v for w, v in zip(weights, weights[::-1], strict=True)] + [p]
            left = left * (1.0 - p * p)
        distance = np.abs(np.arange(self.k)[:, None] - np.arange(self.k))
        return np.asarray(np.stack(lags, axis=-1)[..., distance])

    def shape_start(self, correlation: np.ndarray) -> np.ndarray:
        """See `_Template.shape_start`; partial autocorrelations of the mean correlations by distance."""
        distance = np.abs(np.arange(self.k)[:, None] - np.arange(self.k))
        lags = np.bincount(distance.ravel(), correlation.ravel()) / np.bincount(distance.ravel())
        partial: list[float] = []
        weights, left = np.empty(0), 1.0
        for m in range(self.k - 1):
            p = float(np.clip((lags[m + 1] - weights @ lags[m:0:-1]) / left, -_FURTHEST, _FURTHEST))
            weights, left = np.append(weights - p * weights[::-1], p), left * (1.0 - p * p)
            partial.append(p)
            # What was clipped has other correlations.
            lags[m + 1] = p if m == 0 else lags[m + 1]
        return np.arctanh(partial)


def _least(distance: np.ndarray) -> int:
    return int(distance[distance > 0].min())


def _near(correlation: np.ndarray, where: np.ndarray) -> float:
    return float(np.clip(correlation[where].mean(), -_FURTHEST, _FURTHEST))
