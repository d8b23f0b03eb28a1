"""Fits of many responses to one design, in step: exact searches of all of them at once, judged as single ones are.

Responses are scaled to a residual of length one, so that one set of relative covariances can be the start of all: each
sets out from that of `starts` at which its criterion, sigma at its best, is lowest. Ends near the boundary are searched
again from further starts. What cannot be settled so is left over, to be fitted alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mixedsparse.core.batch.batch import Batch, Responses
from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.core.batch.joint_likelihood import JointCriterion, JointPoint
from mixedsparse.core.fitting.effort import rows_per_effect
from mixedsparse.core.fitting.many_ends import Ends, Many
from mixedsparse.core.fitting.starts import even_starts, random_starts
from mixedsparse.core.newton.batched import Solved, minimise
from mixedsparse.core.newton.boundary import ZERO

__all__ = ["ManyFitter"]

# Fall that the model promises below which the criterion is no help any more, but one step of Newton is; what may be
# left at the end, and how many such steps there are at most.
_NEARLY, _LEFT, _CLOSING = 1e-6, 1e-13, 3
# Slack for the criterion after zeros are put in place, absolute and relative.
_RISE, _NOISE = 1e-9, 5e-13
_MOST_ITERATIONS = 40
# Standard errors from 0 up to which a standard deviation leaves room for another optimum; rows per effect below which
# two further starts are searched from then, in place of one; starts that are drawn, their seed, and the fall that makes
# another optimum.
_NEAR, _FEW, _DRAWN, _SEED, _LOWER = 2.0, 5.0, 8, 20141003, 1e-6
# Squared distance from an end, in units of its curvature, and rise of the criterion, within which all leads there.
_VALLEY = 0.5
# Standard deviations over sigma beyond which sums over levels may have lost digits: rows are looked at instead.
_LARGEST = 300.0
# A start at a variance of 0 would be stationary; and what counts as no variance at the end.
_OFF_ZERO, _NO_VARIANCE, _ROUNDING = 0.05, 1e-6, 1e-12
# Curvature, relative to the largest, below which a direction is flat.
_FLAT = 1e-8


class ManyFitter:
    """Fits responses to the design of `batch`.

    Parameters
    ----------
    batch : Batch
        That evaluates them together.
    starts : sequence of ndarray (m,)
        Theta of the whitened bases to set out from: the ends of a few responses.
    reml : bool
    """

    def __init__(self, batch: Batch, starts: Sequence[np.ndarray], reml: bool) -> None:
        self.batch, self.reml, self.problem = batch, reml, batch.problem
        layout = batch.problem.layout
        lifted = [np.where(layout.is_diagonal, np.maximum(theta, _OFF_ZERO), theta) for theta in starts]
        self.starts = lifted
        rng = np.random.default_rng(_SEED)
        self.searches = 2 if rows_per_effect(batch.problem) < _FEW else 1
        height = float(batch.problem.xy[-1, -1])
        self.further = even_starts(batch.problem, height) + random_starts(batch.problem, _DRAWN, rng)

    def __call__(self, responses: Responses) -> Many:
        """Fit all of `responses`, sums over levels of their residuals on Q."""
        df = self.problem.degrees(self.reml)
        scale = np.sqrt(responses.yy / df)
        scale[~(scale > 0.0)] = np.nan
        moved = Responses(tuple(z / scale[:, None, None] for z in responses.Zy), np.where(np.isnan(scale), np.nan, df))
        with np.errstate(all="ignore"):
            found = self._fit(moved)
        return Many(
            settled=found.settled,
            boundary=found.boundary,
            gamma=found.gamma * scale[:, None],
            sigma=found.sigma * scale,
            criterion=found.criterion + 2.0 * df * np.log(scale),
            covariances=tuple(cov * np.square(scale)[:, None, None] for cov in found.covariances),
            K=found.K,
            K_rates=found.K_rates,
            scale_rates=found.scale_rates,
        )

    def _fit(self, responses: Responses) -> Many:
        chart, count = plain_chart(self.problem), len(responses.yy)
        criterion = JointCriterion(self.batch, [chart] * count, responses, 1.0, self.reml)
        every = np.arange(count)
        x = self._best(self.starts, responses, 1)[0]
        found = self._closed(criterion, self._searched(criterion, x, every), every)
        again = np.flatnonzero(found.settled & self._doubtful(found))
        for start in self._best(self.further, responses.take(again), self.searches) if len(again) else []:
            solved = self._searched(criterion, start, again, found)
            lower = np.flatnonzero(solved.converged & (solved.point.value < found.value[again] - _LOWER))
            if not len(lower):
                continue
            other = self._closed(criterion, solved.take(lower), again[lower])
            found.put(again[lower[other.settled]], other, other.settled)
        return self._reported(criterion, found)

    def _best(self, thetas: Sequence[np.ndarray], responses: Responses, count: int) -> list[np.ndarray]:
        """Points x (B, m + 2) with the lowest criterion for each response, sigma at its best: `count` of them."""
        df, layout = self.problem.degrees(self.reml), self.problem.layout
        values, sigmas = np.empty((len(thetas), len(responses.yy))), np.empty((len(thetas), len(responses.yy)))
        for i, theta in enumerate(thetas):
            logdet, pwrss = self.batch.values(layout.lams(theta), responses, self.reml)
            sigmas[i] = np.sqrt(pwrss / df)
            values[i] = logdet + df * np.log(pwrss)
        order = np.argsort(np.where(np.isnan(values), np.inf, values), axis=0)[:count]
        table, out = np.array(thetas), []
        for chosen in order:
            sigma = sigmas[chosen, np.arange(len(chosen))]
            nothing = np.zeros(len(chosen))
            out.append(np.column_stack([table[chosen] * sigma[:, None], np.log(sigma), nothing]))
        return out

    def _searched(
        self, criterion: JointCriterion, x: np.ndarray, index: np.ndarray, known: Ends | None = None
    ) -> Solved[JointPoint]:
        """Search for the responses `index` from x.

        A search that comes near the end that is `known` of its response is given up: it would lead there.
        """
        held = np.zeros(x.shape, dtype=bool)
        held[:, -1] = True
        return minimise(
            lambda at, which: criterion(at, index[which]),
            x,
            held,
            np.full(x.shape, -np.inf),
            _MOST_ITERATIONS,
            tolerance=_NEARLY,
            give_up=None if known is None else lambda at, point, which: self._is_near(at, point, known, index[which]),
        )

    def _closed(self, criterion: JointCriterion, solved: Solved[JointPoint], index: np.ndarray) -> Ends:
        """Take the closing step of searches, put zeros in place, and look again."""
        ends = self._looked_at(criterion, solved.x + solved.move, index)
        for _ in range(_CLOSING - 1):
            ahead = np.flatnonzero(solved.converged & ends.settled & (ends.left > _LEFT))
            if not len(ahead):
                break
            onward = ends.x[ahead].copy()
            onward[:, :-1] += ends.move[ahead]
            ends.put(ahead, self._looked_at(criterion, onward, index[ahead]), np.arange(len(ahead)))
        noise = _NOISE * np.abs(ends.value)
        good = solved.converged & ends.settled & (ends.left <= np.maximum(_LEFT, noise))
        good &= ends.value <= solved.point.value + np.maximum(_RISE, noise)
        return replace(ends, settled=good)

    def _is_near(self, x: np.ndarray, point: JointPoint, known: Ends, index: np.ndarray) -> np.ndarray:
        """Mask of the points x that lie in the valley of the ends `known` of the responses `index`."""
        m, layout = self.problem.n_theta, self.problem.layout
        own = (layout.block[:, None] == layout.block) & (layout.col[:, None] == layout.col) & layout.is_diagonal
        signs = np.where(x[:, own.argmax(axis=1)] < 0.0, -1.0, 1.0)
        gap = x[:, : m + 1] - known.x[index, : m + 1]
        gap[:, :m] = signs * x[:, :m] - known.x[index, :m]
        along = np.linalg.solve(known.vectors[index], gap[..., None])[..., 0]
        return (np.square(along).sum(axis=1) < _VALLEY) & (point.value < known.value[index] + _VALLEY)

    def _looked_at(self, criterion: JointCriterion, x: np.ndarray, index: np.ndarray) -> Ends:
        """Put zeros in place, and tell how the criterion curves there."""
        x, m = self._with_zeros(x), self.problem.n_theta
        point, parts, moves = criterion.at(x, index)
        used = np.concatenate([self._active(x[:, :m]), np.ones((len(x), 1), dtype=bool)], axis=1)
        hessian = np.where(used[:, :, None] & used[:, None, :], point.hessian[:, :-1, :-1], 0.0)
        diagonal = np.arange(m + 1)
        hessian[:, diagonal, diagonal] += ~used
        gradient = np.where(used, point.gradient[:, :-1], 0.0)
        hessian[~point.finite] = np.eye(m + 1)
        # In units in which diagonals are 1: what is flat does not hang on the sizes of parameters.
        unit = 1.0 / np.sqrt(np.maximum(np.abs(hessian[:, diagonal, diagonal]), np.finfo(float).tiny))
        sizes, vectors = np.linalg.eigh(unit[:, :, None] * hessian * unit[:, None, :])
        curved = sizes[:, 0] > _FLAT * sizes[:, -1]
        vectors = unit[:, :, None] * vectors / np.sqrt(np.where(curved[:, None], sizes, 1.0))[:, None]
        along = (gradient[:, None] @ vectors)[:, 0]
        size = np.abs(x[:, :m] * np.exp(-x[:, m : m + 1])).max(axis=1, initial=0.0)
        settled = point.finite & curved & (size < _LARGEST)
        left = 0.5 * np.square(along).sum(axis=1)
        move = -(vectors @ along[..., None])[..., 0]
        return Ends(x, point.value, settled, left, move, parts, moves, vectors, used)

    def _with_zeros(self, x: np.ndarray) -> np.ndarray:
        """X with signs and zeros of theta as they are reported."""
        m, layout = self.problem.n_theta, self.problem.layout
        size = np.exp(x[:, m])
        zero = layout.is_diagonal & (np.abs(x[:, :m]) < ZERO * size[:, None])
        x = x.copy()
        for i in np.flatnonzero(zero.any(axis=1)):
            x[i, :m] = layout.canonical(layout.positive(np.where(zero[i], 0.0, x[i, :m])))
        return x

    def _active(self, theta: np.ndarray) -> np.ndarray:
        """Mask (B, m) of the entries that are not in a zero column of Lambda."""
        layout = self.problem.layout
        same = (layout.block[:, None] == layout.block) & (layout.col[:, None] == layout.col)
        return np.asarray(((theta != 0.0) @ same) > 0)

    def _doubtful(self, found: Ends) -> np.ndarray:
        """Mask (B,) of the ends near enough to the boundary that another optimum may lie there."""
        m, layout = self.problem.n_theta, self.problem.layout
        # The covariance of the parameters is twice the inverse of the Hessian.
        variances = 2.0 * np.square(found.vectors[:, :m]).sum(axis=2)
        distances = np.square(found.x[:, :m]) / variances
        near = (distances < _NEAR**2) | ~found.used[:, :m]
        return np.asarray(near[:, layout.is_diagonal].any(axis=1))

    def _reported(self, criterion: JointCriterion, found: Ends) -> Many:
        m, count, parts = self.problem.n_theta, len(found.value), found.parts
        covariances = criterion.covariances(found.x, np.arange(count))
        # Directions, orthonormal in half the Hessian, and what they change.
        turn = np.sqrt(2.0) * np.where(found.used[:, :, None], found.vectors, 0.0)
        by_entry = found.moves @ turn
        rates = np.einsum("bmd,bmpq->bdpq", by_entry, parts.xx_slopes)
        rates = parts.K[:, None] @ rates @ parts.K[:, None]
        out = Many(
            settled=found.settled,
            boundary=self._without_variance(found.x[:, :m] * np.exp(-found.x[:, m : m + 1])),
            gamma=parts.gamma,
            sigma=np.exp(found.x[:, m]),
            criterion=found.value,
            covariances=tuple(covariances),
            K=parts.K,
            K_rates=rates,
            scale_rates=2.0 * turn[:, m],
        )
        for array in (out.gamma, out.sigma, out.criterion, *out.covariances):
            array[~found.settled] = np.nan
        return out

    def _without_variance(self, theta: np.ndarray) -> np.ndarray:
        """Mask (B,): whether a combination of effects of some term has no variance, to rounding."""
        layout = self.problem.theta_layout
        out = np.zeros(len(theta), dtype=bool)
        for t, k in enumerate(layout.widths):
            mine = layout.term == t
            lam = np.zeros((len(theta), k, k))
            lam[:, layout.row[mine], layout.col[mine]] = np.where(np.isfinite(theta[:, mine]), theta[:, mine], 1.0)
            sizes = np.linalg.svd(lam, compute_uv=False)
            out |= sizes[:, -1] < _NO_VARIANCE + _ROUNDING * sizes[:, 0]
        return out
