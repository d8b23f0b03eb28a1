"""`Batch` for several grouping factors of which one, level by level, leaves little: its levels are eliminated first.

With V_e = I + Z_e Sigma_e Z_e' of the eliminated factor e, levels l, and D = [Z_r Q] all other columns,

    D'V_e^-1 D = D'D - sum over l of (Z_l'D)'F_l (Z_l'D),    F_l = Sigma_e A_l,    A_l = (I + Z_l'Z_l Sigma_e)^-1

which is linear in the K x K matrices F_l: one product of matrices serves all problems. What is left is small,

    C = Lambda_r S^-1 Lambda_r',    S = I + Lambda_r'G Lambda_r,    G = Z_r'V_e^-1 Z_r

and W = base - [E; G] C [E; G]', E_l = A_l Z_l'Z_r, with A_l Z_l'Z_l, E and G in the places of `base`.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.batch.batch import Responses, level_products, times
from mixedsparse.core.batch.one_factor import small_inverse
from mixedsparse.core.batch.written import Second, WrittenBatch, effect_slabs
from mixedsparse.core.likelihood.interface import Engine, Written
from mixedsparse.core.likelihood.traces import contract, gram_of
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.whole import whole

__all__ = ["SplitBatch", "split_size"]


def split_size(problem: Problem) -> tuple[int, int]:
    """Effects that are left when the largest factor is eliminated, and numbers of the linear map for that."""
    layout, first = problem.layout, problem.eliminable
    if first is None:
        return layout.q, 0
    k, levels = layout.widths[first], layout.n_levels[first]
    rest = layout.q - k * levels
    return rest, levels * (k * (k + 1) // 2) * (rest + problem.p) ** 2


class SplitBatch(WrittenBatch):
    """See the module docstring."""

    def __init__(self, engine: Engine) -> None:
        problem, layout = engine.problem, engine.problem.layout
        first = problem.eliminable
        assert first is not None
        self.first, self.rest = first, [b for b in range(len(layout.widths)) if b != first]
        super().__init__(engine, [first, *self.rest])
        self.width, self.levels, p = layout.widths[first], layout.n_levels[first], problem.p
        self.own = own = self.width * self.levels
        self.r = self.q - own
        natural = effect_slabs(layout, range(len(layout.widths)))
        order = np.concatenate(
            [np.arange(s.start, s.stop) for b in self.blocks for (c, _), s in natural.items() if c == b]
        )
        products = whole(problem)
        order = np.append(order, np.arange(layout.q, layout.q + p))
        products = products[np.ix_(order, order)]
        self.grams = problem.grams[first]
        # Z_l'D, effect-major, and D'D.
        self.cross, self.inner = products[:own, own:], products[own:, own:]
        self.pairs = np.tril_indices(self.width)
        self.map = self._linear_map()

    def _linear_map(self) -> np.ndarray:
        """From the entries of all F_l, (entries levels,), to the sum that D'V_e^-1 D lacks, (c c,)."""
        cross = self.cross.reshape(self.width, self.levels, -1)
        pieces = []
        for a, b in zip(*self.pairs, strict=True):
            outer = cross[a][:, :, None] * cross[b][:, None, :]
            pieces.append(outer if a == b else outer + outer.swapaxes(1, 2))
        return np.concatenate(pieces).reshape(len(self.pairs[0]) * self.levels, -1)

    def reduce(self, lams: list[np.ndarray]) -> _Split:
        """See `WrittenBatch`."""
        return _Split(self, lams[self.first], [lams[b] for b in self.rest])

    def scaled(self, lams: list[np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Lambda_r' times `rows` (D, r, w)."""
        out, start, width = np.empty_like(rows), 0, rows.shape[2]
        for b, lam in zip(self.rest, lams, strict=True):
            k, levels = lam.shape[1], self.problem.layout.n_levels[b]
            own = slice(start, start + k * levels)
            if k == 1:
                np.multiply(lam, rows[:, own], out=out[:, own])
            else:
                mixed = lam.swapaxes(1, 2) @ rows[:, own].reshape(-1, k, levels * width)
                out[:, own] = mixed.reshape(-1, k * levels, width)
            start = own.stop
        return out


class _Split:
    """See `Reduced`."""

    def __init__(self, batch: SplitBatch, lam: np.ndarray, rest: list[np.ndarray]) -> None:
        self.batch = batch
        count, r, p = len(lam), batch.r, batch.problem.p
        sigma = (lam @ lam.swapaxes(1, 2))[:, None]
        inflation = level_products(batch.grams, sigma)
        inflation[..., np.arange(batch.width), np.arange(batch.width)] += 1.0
        self.A, logdet = small_inverse(inflation)
        self.F = level_products(sigma, self.A)
        packed = np.concatenate([self.F[:, :, a, b] for a, b in zip(*batch.pairs, strict=True)], axis=1)
        inner = batch.inner - (packed @ batch.map).reshape(count, r + p, r + p)
        self.G, self.X = inner[:, :r, :r], inner[:, :r, r:]
        self.C, more = self._inverse(rest)
        self.logdet = logdet.sum(axis=1) + more
        CX = self.C @ self.X
        self.xx = inner[:, r:, r:] - self.X.swapaxes(1, 2) @ CX
        # [E H_e; G H_r], of which E_l = A_l Z_l'Z_r and, before the rest is taken off, A_l Z_l'Q come together.
        cross = batch.cross.reshape(batch.width, batch.levels, r + p)
        self.full = full = np.empty((count, batch.q, r + p))
        for a in range(batch.width):
            rows = full[:, a * batch.levels : (a + 1) * batch.levels]
            np.multiply(self.A[:, :, a, 0, None], cross[0], out=rows)
            for b in range(1, batch.width):
                rows += self.A[:, :, a, b, None] * cross[b]
        full[:, batch.own :] = inner[:, :r]
        full[:, :, r:] -= full[:, :, :r] @ CX
        self.H = full[:, :, r:]

    def _inverse(self, lams: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """C (D, r, r) and log|S| (D,); NaN where S is not positive definite."""
        batch, r = self.batch, self.batch.r
        half = batch.scaled(lams, self.G)
        S = np.ascontiguousarray(batch.scaled(lams, half.swapaxes(1, 2)))
        S[:, np.arange(r), np.arange(r)] += 1.0
        for one in S:
            # The transpose is what LAPACK takes without a copy, and works on in place.
            factor, info = lapack.dpotrf(one.T, lower=1, clean=1, overwrite_a=1)
            if info == 0:
                lapack.dtrtri(factor, lower=1, overwrite_c=1)
            else:
                one[:] = np.nan
        logdet = -2.0 * np.log(S[:, np.arange(r), np.arange(r)]).sum(axis=1)
        half = batch.scaled([lam.swapaxes(1, 2) for lam in lams], S)
        return half @ half.swapaxes(1, 2), logdet

    def solve(self, responses: Responses) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See `Reduced`."""
        batch, count, r = self.batch, len(responses.yy), self.batch.r
        own = responses.Zy[batch.first]
        others = [responses.Zy[b].swapaxes(1, 2).reshape(count, -1) for b in batch.rest]
        spread = level_products(self.F, own[..., None])[..., 0]
        taken = spread.swapaxes(1, 2).reshape(count, -1) @ batch.cross
        left = np.concatenate(others, axis=1) - taken[:, :r]
        modes = _rowwise(self.C, left)
        xy = -taken[:, r:] - _rowwise(self.X.swapaxes(1, 2), modes)
        yy = responses.yy - (own * spread).sum(axis=(1, 2)) - (left * modes).sum(axis=1)
        met = (modes @ batch.cross[:, :r].T).reshape(count, batch.width, batch.levels).swapaxes(1, 2)
        h = level_products(self.A, (own - met)[..., None]).swapaxes(1, 2).reshape(count, -1)
        return xy, yy, np.concatenate([h, left - _rowwise(self.G, modes)], axis=1)

    def second(self, moved: np.ndarray, K: np.ndarray | None) -> Second:
        """See `Reduced`."""
        batch, own, r, full = self.batch, self.batch.own, self.batch.r, self.full
        if K is None:
            full, left = full[:, :, :r], full[:, :, :r] @ self.C
        else:
            left = np.empty((len(K), *full.shape[1:]))
            np.matmul(full[:, :, :r], self.C, out=left[:, :, :r])
            np.matmul(self.H, K, out=left[:, :, r:])
        # P among the eliminated, and of all with the rest.
        inside = left[:, :own] @ full[:, :own].swapaxes(1, 2)
        np.negative(inside, out=inside)
        diagonal, level = level_products(self.A, batch.grams), np.arange(batch.levels)
        for a in range(batch.width):
            for b in range(batch.width):
                inside[:, a * batch.levels + level, b * batch.levels + level] += diagonal[:, :, a, b]
        beside = full[:, :, :r] - left @ full[:, own:].swapaxes(1, 2)
        mine, others = moved[:, :, :own], moved[:, :, own:].swapaxes(1, 2)
        across = mine @ beside[:, :own] @ others
        quadratic = mine @ inside @ mine.swapaxes(1, 2) + across + across.swapaxes(1, 2)
        quadratic += moved[:, :, own:] @ beside[:, own:] @ others
        return Second(quadratic, self._products(inside, beside), self._trace(inside, beside))

    def _products(self, inside: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """See `Second`."""
        batch, own = self.batch, self.batch.own
        layout, width, levels = batch.problem.layout, batch.width, batch.levels
        rest = {b: start - own for b, start in batch.places.items() if b != batch.first}
        out = contract(Written(beside[:, own:], rest), layout, batch.copied)
        mine, left = layout.members[batch.first], layout.units[batch.first].reshape(-1, width**2)
        table = gram_of(inside.reshape(-1, width, levels, width, levels), batch.copied)
        out[:, mine[:, None], mine] = left @ table @ left.T
        for b, start in rest.items():
            k, count = layout.widths[b], layout.n_levels[b]
            block = beside[:, :own, start : start + k * count].reshape(-1, width, levels, k, count)
            other = layout.members[b]
            values = left @ gram_of(block, batch.copied) @ layout.units[b].reshape(-1, k * k).T
            out[:, mine[:, None], other] = values
            out[:, other[:, None], mine] = values.swapaxes(1, 2)
        return out

    def _trace(self, inside: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """See `Second`."""
        own, found = self.batch.own, []
        for rows, columns in self.batch.slabs:
            if rows.start < own:
                slab = inside[:, rows, columns]
            else:
                slab = beside[:, rows, columns.start - own : columns.stop - own]
            found.append(np.trace(slab, axis1=1, axis2=2))
        return np.stack(found, axis=1)


def _rowwise(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Each of the matrices (B, r, c) times its vector (B, c), or one matrix (1, r, c) times all."""
    return vectors @ matrices[0].T if len(matrices) == 1 else times(matrices, vectors)
