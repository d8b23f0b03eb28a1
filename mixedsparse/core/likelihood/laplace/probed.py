"""Laplace's approximation where nothing is factorised: an exact mode, and a gradient by random probes.

All of `criterion` but log|M|, the leverages v_i = z_i'Lambda M^-1 Lambda'z_i and the traces needs solutions only. In
place of the adjoint of the mode, the derivatives of eta in the parameters are at hand, so that the movement of W adds

    sum v_i kappa_i d eta_i / d alpha        (and sum v_i w_psi,i for psi)

to the derivative of log|M| in alpha: one number for each probe, like the traces. Their mean is the gradient, their
spread its Monte-Carlo error. The value of the criterion stays without log|M|.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixedsparse.core.likelihood.interface import StochasticEngine, StochasticFactored
from mixedsparse.core.likelihood.laplace.criterion import Curvature, LaplaceCriterion, Point
from mixedsparse.core.likelihood.laplace.data import Data, Vectors
from mixedsparse.core.likelihood.laplace.mode import Mode
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.entries import times_slopes

__all__ = ["ProbedCriterion", "ProbedCurvature"]

# Rows that are worked on at a time.
_BATCH = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class ProbedCurvature(Curvature):
    """Derivatives at a point, estimated.

    Attributes
    ----------
    samples : ndarray, shape (probes, r)
        The gradient by each probe alone; `gradient` is their mean.
    """

    samples: np.ndarray

    @property
    def covariance(self) -> np.ndarray:
        """Covariance (r, r) of the gradient over sets of so many probes."""
        centred = self.samples - self.samples.mean(axis=0)
        return np.asarray(centred.T @ centred / (len(centred) * max(len(centred) - 1, 1)))


class ProbedCriterion(LaplaceCriterion):
    """-2 log-likelihood without log|M|, and its estimated derivatives with it, on a stochastic engine."""

    def __init__(self, data: Data, engine: StochasticEngine) -> None:
        super().__init__(data)
        self.engine = engine

    @cached_property
    def nested(self) -> None:
        """None: nothing is eliminated."""

    def value(self, mode: Mode, lams: list[np.ndarray], psi: float) -> float:
        """-2 sum l + u'u."""
        return mode.h

    def gradient(self, point: Point) -> np.ndarray:
        """Estimate of the gradient (r,)."""
        return self.differentiate(point).gradient

    def _gradient(self, point: Point) -> tuple[np.ndarray, Vectors]:
        """Return the gradient of h at the mode, and estimates of the traces."""
        data, mode = self.data, point.mode
        slopes = [-(zeta.T @ zeta) @ lam for zeta, lam in zip(mode.zeta, point.lams, strict=True)]
        parts = [2.0 * self.layout.gather(slopes), -2.0 * (data.Q.T @ mode.terms.s)]
        if self.size > self.m + self.p:
            d = data.family.dispersion_rows(data.y, data.m, mode.eta, point.parameters.psi)
            parts.append(np.array([-2.0 * d.value.sum()]))
        return np.concatenate(parts), _factor(point).traces()

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def differentiate(self, point: Point) -> ProbedCurvature:
        """Estimated gradient, curvature, and motion of the mode."""
        exact = LaplaceCriterion.differentiate(self, point)
        traces = _factor(point).estimate()
        both = zip(traces.known, traces.samples, point.lams, strict=True)
        drawn = [(known + more) @ lam for known, more, lam in both]
        samples = exact.gradient + self._movement(point, exact.motion)
        samples[:, : self.m] += 2.0 * np.array([self.layout.gather(one) for one in zip(*drawn, strict=True)])
        return ProbedCurvature(samples.mean(axis=0), exact.hessian, exact.information, exact.motion, samples)

    def _movement(self, point: Point, motion: Vectors) -> np.ndarray:
        """Return the derivatives of log|M| through W, (probes, r), by each probe."""
        data, factor = self.data, _factor(point)
        known = factor.known_forms()
        forms = data.quadratic_forms(known.diagonal, known.pairs)
        exact = np.zeros(self.size)
        for rows, slopes in self._slopes(point, motion):
            v = forms[rows]
            if len(known.scale):
                v = v + np.square(_spread(data.blocks, known.coarse, rows)) @ known.scale
            exact += slopes.T @ v
        drawn = []
        for left, right in factor.leverages():
            found = np.zeros((self.size, left[0].shape[2]))
            for rows, slopes in self._slopes(point, motion):
                found += slopes.T @ (_spread(data.blocks, left, rows) * _spread(data.blocks, right, rows))
            drawn.append(found.T)
        return exact + np.concatenate(drawn)

    def _slopes(self, point: Point, motion: Vectors) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield the derivatives of the weights in the parameters, (some, r), some rows at a time."""
        data, mode, m, p = self.data, point.mode, self.m, self.p
        moved = [lam @ lam.T @ own for lam, own in zip(point.lams, motion, strict=True)]
        for own, direct in zip(moved, times_slopes(self.layout, point.lams, mode.zeta), strict=True):
            own[:, :, :m] += direct
        w_psi = None
        if self.size > m + p:
            w_psi = data.family.dispersion_rows(data.y, data.m, mode.eta, point.parameters.psi).w
        for start in range(0, data.n, _BATCH):
            rows = slice(start, start + _BATCH)
            slopes = _spread(data.blocks, moved, rows)
            slopes[:, m : m + p] += data.Q[rows]
            slopes *= mode.terms.kappa[rows, None]
            if w_psi is not None:
                slopes[:, -1] += w_psi[rows]
            yield rows, slopes


def _factor(point: Point) -> StochasticFactored:
    factor: StochasticFactored = point.mode.factor  # type: ignore[assignment]
    return factor


def _spread(blocks: list[Block], vectors: Vectors, rows: slice) -> np.ndarray:
    """Z V of some rows, (some, r), for block vectors V (levels, K, r)."""
    out = None
    for block, own in zip(blocks, vectors, strict=True):
        codes = block.codes[rows]
        for k in range(block.width):
            part = own[:, k][codes]
            if not block.unit:
                part *= block.z[rows, k, None]
            out = part if out is None else np.add(out, part, out=out)
    assert out is not None
    return out
