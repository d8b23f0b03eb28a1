"""What batches share that write W = Z'V_0^-1 Z out: from W, H and K to the parts of the criterion.

A subclass makes a `Reduced` of relative covariances, one of them for each problem, or a single one for all. Rows of q
stand block by block in the order of `blocks`, effect-major within a block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import fields
from typing import NamedTuple, Protocol

import numpy as np

from mixedsparse.core.batch.batch import Condition, Parts, Responses, solve_beta, times
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.entries import times_units_of

__all__ = ["Reduced", "Second", "WrittenBatch", "effect_slabs"]

Lams = list[np.ndarray]

# Numbers of W that are worked on at a time.
_NEAR = 200_000


class Second(NamedTuple):
    """Sums over P: (S_i zeta)'P S_j zeta (B, m, m), tr(S_i P S_j P) (D, m, m) and the entries' tr(P) (D, m)."""

    quadratic: np.ndarray
    products: np.ndarray
    trace: np.ndarray


class Reduced(Protocol):
    """The design at D relative covariances, D the number of problems, or 1 where all have the same.

    Attributes
    ----------
    logdet : ndarray, shape (D,)
        log |V_0|.
    xx : ndarray, shape (D, p, p)
        Q'V_0^-1 Q.
    H : ndarray, shape (D, q, p)
        Z'V_0^-1 Q.
    """

    logdet: np.ndarray
    xx: np.ndarray
    H: np.ndarray

    def solve(self, responses: Responses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Q'V_0^-1 y (B, p), y'V_0^-1 y (B,) and Z'V_0^-1 y (B, q)."""
        ...

    def second(self, moved: np.ndarray, K: np.ndarray | None) -> Second:
        """Take sums over P = W - H K H', or W if K is None, for the vectors S_i zeta, `moved` (B, m, q)."""
        ...


class WrittenBatch(ABC):
    """See the module docstring; a `Batch`."""

    together = True

    def __init__(self, engine: Engine, blocks: Sequence[int]) -> None:
        self.problem, self.copied = engine.problem, engine.limits.copied
        layout, self.blocks = engine.problem.layout, tuple(blocks)
        sizes = [layout.widths[b] * layout.n_levels[b] for b in self.blocks]
        self.places = dict(zip(self.blocks, np.cumsum([0, *sizes]).tolist(), strict=False))
        self.q = int(sum(sizes))
        slabs = effect_slabs(layout, self.blocks)
        places = zip(layout.block.tolist(), layout.row.tolist(), layout.col.tolist(), strict=True)
        # Rows and columns of P that belong to each entry.
        self.slabs = [(slabs[b, r], slabs[b, c]) for b, r, c in places]

    @abstractmethod
    def reduce(self, lams: Lams) -> Reduced:
        """Reduce the design at relative Lambda (D, K, K) of each block, in the order of the layout."""

    def __call__(self, lams: Lams, tau: np.ndarray, responses: Responses, condition: Condition, reml: bool) -> Parts:
        """See `Batch`."""
        made = []
        pieces = self._pieces(lams)
        for at, shared in pieces:
            here = [lam[at[:1] if shared else at] for lam in lams]
            held = Condition(condition.row[at], condition.value[at])
            made.append(self._parts(here, tau[at], responses.take(at), held, reml))
        if len(made) == 1:
            return made[0]
        order = np.argsort(np.concatenate([at for at, _ in pieces]))
        return Parts(**{f.name: np.concatenate([getattr(one, f.name) for one in made])[order] for f in fields(Parts)})

    def _pieces(self, lams: Lams) -> list[tuple[np.ndarray, bool]]:
        """Problems that are evaluated together, and whether all of them have the same Lambda, which is done once.

        Others come a few at a time, so that what is written out stays near the processor.
        """
        flat = np.concatenate([lam.reshape(len(lam), -1) for lam in lams], axis=1)
        _, first, owner, sizes = np.unique(flat, axis=0, return_index=True, return_inverse=True, return_counts=True)
        owner = owner.ravel()
        many = np.flatnonzero(sizes > 1)
        out = [(np.flatnonzero(owner == one), True) for one in many]
        alone = np.sort(first[sizes == 1])
        step = max(1, _NEAR // self.q**2)
        return out + [(alone[start : start + step], False) for start in range(0, len(alone), step)]

    def values(self, lams: Lams, responses: Responses, reml: bool) -> tuple[float, np.ndarray]:
        """Logdet and pwrss (B,), as in `Parts`, of all `responses` at one relative Lambda (K, K) of each block."""
        found = self.reduce([lam[None] for lam in lams])
        xy, yy, _ = found.solve(responses)
        gamma = np.linalg.solve(found.xx[0], xy.T).T
        logdet = float(found.logdet[0])
        return logdet + float(np.linalg.slogdet(found.xx[0])[1]) * reml, yy - (xy * gamma).sum(axis=1)

    def _parts(self, lams: Lams, tau: np.ndarray, responses: Responses, condition: Condition, reml: bool) -> Parts:
        layout, found = self.problem.layout, self.reduce(lams)
        xy, yy, h = found.solve(responses)
        beta, H, count = solve_beta(found.xx, xy, yy, condition), found.H, len(tau)
        zeta = h - times(H, beta.gamma)
        moved = self._times_units(zeta)
        second = found.second(moved, beta.K if reml else None)
        quadratic = second.quadratic
        if not reml:
            along = moved @ H
            quadratic -= along @ beta.K @ along.swapaxes(1, 2)
        slope_pwrss = -times(moved, zeta)
        logdet = found.logdet + np.linalg.slogdet(found.xx)[1] if reml else found.logdet
        return Parts(
            logdet=_for_each(logdet, count),
            pwrss=beta.pwrss,
            gamma=beta.gamma,
            slope=second.trace * layout.multiplicity + tau[:, None] * slope_pwrss,
            slope_pwrss=slope_pwrss,
            curve=2.0 * tau[:, None, None] * quadratic - second.products,
            pull=beta.pull,
            bend=beta.bend,
            cross=2.0 * times(moved, times(H, beta.gamma_rate)),
            K=_for_each(beta.K, count),
            xx_slopes=_for_each(self._xx_slopes(H), count),
        )

    def _times_units(self, zeta: np.ndarray) -> np.ndarray:
        """S_i zeta of all entries, (B, m, q)."""
        layout, count = self.problem.layout, len(zeta)
        out = np.zeros((count, len(layout.block), zeta.shape[1]))
        for b, start in self.places.items():
            mine = layout.members[b]
            rows = slice(start, start + layout.widths[b] * layout.n_levels[b])
            own = zeta[:, rows].reshape(count, layout.widths[b], -1)
            out[:, mine, rows] = times_units_of(layout, b, own).reshape(count, len(mine), -1)
        return out

    def _xx_slopes(self, H: np.ndarray) -> np.ndarray:
        """H'S_i H (D, m, p, p), H (D, q, p)."""
        layout, (count, _, p) = self.problem.layout, H.shape
        out = np.empty((count, len(layout.block), p, p))
        for b, start in self.places.items():
            k, levels = layout.widths[b], layout.n_levels[b]
            own = H[:, start : start + k * levels].reshape(count, k, levels, p).swapaxes(2, 3)
            rows = own.reshape(count, k * p, levels)
            pairs = (rows @ rows.swapaxes(1, 2)).reshape(count, k, p, k, p).swapaxes(2, 3)
            mine = layout.members[b]
            sums = layout.units[b].reshape(-1, k * k) @ pairs.reshape(count, k * k, p * p)
            out[:, mine] = sums.reshape(count, len(mine), p, p)
        return out


def _for_each(values: np.ndarray, count: int) -> np.ndarray:
    """One for each of `count` problems, from as many or from one."""
    return values if len(values) == count else np.repeat(values, count, axis=0)


def effect_slabs(layout: BlockLayout, blocks: Sequence[int]) -> dict[tuple[int, int], slice]:
    """Rows of (block, effect) where `blocks` follow each other, each in effect-major order."""
    out, start = {}, 0
    for b in blocks:
        for effect in range(layout.widths[b]):
            out[b, effect] = slice(start, start + layout.n_levels[b])
            start += layout.n_levels[b]
    return out
