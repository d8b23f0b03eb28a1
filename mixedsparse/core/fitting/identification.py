"""Which covariance parameters the design identifies at all, whatever the response.

The data tell the covariance V = sum over i of s_i G_i + s_0 W^-1 of y only in contrasts that are free of beta: two
covariances with the same P V P (P the projection off X, rows weighted) cannot be told apart. So the parameters are
identified if and only if P G_1 P, ..., P W^-1 P are linearly independent (Demidenko 2004, Mixed Models, section 3.2).

Such a direction is flat at the optimum, so that the curvature there, which every fit has, clears nearly all designs.
The others are tested by random vectors w: with C = Z'P Z and D_i the pattern of entry i in q-space, a combination
vanishes if sum c_i C D_i C w + c_0 C w = 0 for a few random w, and sum c_i tr(D_i C) + c_0 (n - p) = 0. That costs a
few products with Z'Z, for a source as for rows in memory, and needs no factor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.fitting.outcome import Search, Stop
from mixedsparse.core.fitting.reasons import Component, describe
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.likelihood.pls import Pls
from mixedsparse.core.problem.chart import Chart, chart_of
from mixedsparse.core.problem.entries import symmetric, times_units
from mixedsparse.core.problem.forms import quadratic_forms
from mixedsparse.core.problem.problem import Problem

__all__ = ["Unidentified", "unidentified", "unidentified_directions"]

# Curvature below this share of the largest may be none; the test of the design decides.
_FLAT = 1e-6
# The same where probes estimate a part of it, to about 1 % of a standard error.
_NOISY = 1e-2
# Share of their size that combinations of projected matrices must keep to be told from 0: rounding leaves 1e-13.
_ZERO = 1e-9
# Part of a combination of structured parameters that may lie outside of the directions that vanish.
_WITHIN = 1e-7
# Levels of a relationship up to which the diagonal of its covariance is solved for, where it is not at hand.
_SOLVED = 5000
# Random vectors beyond those that the number of parameters asks for.
_SPARE = 2
_SEED = 20040615
# Share of a direction from which on a parameter is part of it.
_PART = 1e-6
# Change of a coefficient or variance along a direction, in standard errors, that is more than rounding.
_MOVES = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Unidentified:
    """Directions of the covariance parameters along which the criterion is flat for any response; d counts them.

    Attributes
    ----------
    components : tuple of Component
        Parameters that hang together, and why.
    beta : ndarray, shape (d, p)
        Change of the coefficients along each direction.
    cov_beta : ndarray, shape (d, p, p)
        Change of their covariance.
    """

    components: tuple[Component, ...]
    beta: np.ndarray
    cov_beta: np.ndarray

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters, named as in ``conf_int``."""
        return tuple(name for component in self.components for name in component.names)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What cannot be told and why, a clause per component."""
        return tuple(component.reason for component in self.components)

    def concerns(self, term: int, effects: Sequence[int]) -> bool:
        """Whether the standard deviation of one effect of `term`, or the correlation of two, is not identified."""
        return any((term, i, j) in c.entries for c in self.components for i in effects for j in effects if j <= i)

    @property
    def concerns_sigma(self) -> bool:
        """Whether the residual variance is not identified."""
        return any(component.residual for component in self.components)

    def settled(self, cov: np.ndarray) -> np.ndarray:
        """Covariance of the coefficients (p, p), NaN where it moves along some direction."""
        errors = np.sqrt(np.diagonal(cov))
        spread = np.abs(self.cov_beta).max(axis=0, initial=0.0)
        return np.where(spread > _MOVES * np.outer(errors, errors), np.nan, cov)

    def moves(self, L: np.ndarray, cov: np.ndarray) -> np.ndarray:
        """Mask (r,): whether L beta (L (r, p)) or its standard error, by `cov` (p, p), moves along some direction."""
        variance = np.maximum(quadratic_forms(L, cov), 0.0)  # Kenward and Roger's may be negative
        spread = np.abs(np.einsum("rp,dpq,rq->dr", L, self.cov_beta, L)).max(axis=0, initial=0.0)
        shift = np.abs(self.beta @ L.T).max(axis=0, initial=0.0)
        return (spread > _MOVES * variance) | (shift > _MOVES * np.sqrt(variance))


def unidentified(engine: Engine, search: Search, chart: Chart | None = None) -> Unidentified | None:
    """Test the design if the end of `search`, in `chart`, leaves room for a direction that is not identified."""
    problem = engine.problem
    hessian = search.derivatives.hessian
    highest = 1.0 if hessian is None else float(np.abs(hessian).max(initial=0.0))
    widest = max(1.0, float(np.abs(search.theta).max(initial=0.0)))
    # The probes of an iterative search leave noise in its Hessian: what clears the design must stand well above it.
    flat = _FLAT if engine.stochastic is None else _NOISY
    curved = search.step.lowest > flat * highest * widest**2
    if problem.is_penalised and search.derivatives.kind != "exact":
        # Average information is no curvature: the design decides, unless its traces would cost more than the fit.
        relations = [penalty.relationship for penalty in problem.penalties if penalty is not None]
        curved = not all(known.knows_diagonal or known.n_levels <= _SOLVED for known in relations)
    if highest * widest**2 <= _FLAT * problem.n:
        curved = False  # a single parameter is never flat beside others, and may have the curvature of rounding
    # By ML a variance of which the data say nothing comes out as 0, where the likelihood is curved.
    pushed = not search.pls.reml and bool((search.theta[problem.layout.is_diagonal] == 0.0).any())
    if curved and not pushed and search.stop is Stop.CONVERGED:
        return None
    directions = unidentified_directions(engine)
    if search.phi is not None:
        directions = _among(chart or chart_of(problem), search.phi, directions)
    found = _judged(problem, search.pls, directions) if directions.shape[1] else None
    # Where the criterion is curved all the same, other parameters have one best value on the boundary.
    sound = found is None or (curved and engine.stochastic is None and not all(c.held for c in found.components))
    return None if sound else found


def _among(chart: Chart | None, phi: Sequence[np.ndarray], directions: np.ndarray) -> np.ndarray:
    """Return those of the directions in which structured covariances can move."""
    assert chart is not None
    moves = np.zeros((len(directions), chart.size + 1))
    moves[:-1, :-1], moves[-1, -1] = chart.slopes(chart.x_of(phi)), 1.0
    sizes = np.linalg.norm(moves, axis=0)
    moves = moves[:, sizes > 0] / sizes[sizes > 0]  # on a boundary a parameter may move nothing
    basis = np.linalg.qr(directions)[0]
    _, sizes, combinations = np.linalg.svd(moves - basis @ (basis.T @ moves))
    return np.asarray(moves @ combinations[sizes <= _WITHIN].T)


def unidentified_directions(engine: Engine) -> np.ndarray:
    """Return combinations (m + 1, d) of relative covariance entries, whitened bases, and the residual that vanish."""
    problem, layout = engine.problem, engine.problem.layout
    m = problem.n_theta
    rng = np.random.default_rng(_SEED)
    found, plain = [], []
    for _ in range(_SPARE + -(-(m + 1) // layout.q)):
        w = [rng.normal(size=(n, k, 1)) for n, k in zip(layout.n_levels, layout.widths, strict=True)]
        raw = engine.times(w)
        inner = _free_of_x(problem, w, raw)
        pairs = [times_units(layout, [v[:, :, 0] for v in problem.related(vectors)]) for vectors in (inner, raw)]
        both = [np.concatenate(pair, axis=2) for pair in zip(*pairs, strict=True)]
        taken = engine.times(both)
        projected = _free_of_x(problem, both, taken)
        found.append(np.hstack([_flat(projected)[:, :m], _flat(inner)]))
        plain.append(np.hstack([_flat(taken)[:, m:], _flat(raw)]))
    table, sizes = np.vstack(found), np.vstack(plain)
    # Each level has its say, however small its weights are; then each parameter.
    rows = np.linalg.norm(sizes, axis=1, keepdims=True)
    rows[rows == 0] = 1.0
    scale = np.linalg.norm(sizes / rows, axis=0)
    scale[scale == 0] = 1.0
    traces = _traces(problem) / scale
    table = np.vstack([table / rows / scale, traces / max(float(np.abs(traces).max()), 1e-300)])
    _, values, vectors = np.linalg.svd(np.linalg.qr(table, mode="r"))
    rank = int((values > _ZERO * max(values[0], 1.0)).sum())
    return np.asarray(vectors[rank:].T / scale[:, None])


def _free_of_x(problem: Problem, vectors: list[np.ndarray], products: list[np.ndarray]) -> list[np.ndarray]:
    """Z'P Z times block vectors, from Z'Z times them."""
    p = problem.p
    sums = sum(
        np.tensordot(own[:, :, :p], v, axes=((0, 1), (0, 1))) for own, v in zip(problem.Zxy, vectors, strict=True)
    )
    return [product - own[:, :, :p] @ sums for own, product in zip(problem.Zxy, products, strict=True)]


def _flat(vectors: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([v.reshape(-1, v.shape[2]) for v in vectors])


def _traces(problem: Problem) -> np.ndarray:
    """tr(P G_i) of every parameter and n - p, (m + 1,)."""
    p = problem.p
    crosses = [cross[:, :, :p] for cross in problem.Zxy]
    own = [
        _related_sum(problem, b) - np.tensordot(cross, related, axes=((0, 2), (0, 2)))
        for b, (cross, related) in enumerate(zip(crosses, problem.related(crosses), strict=True))
    ]
    entries = problem.layout.gather(own) * problem.layout.multiplicity
    return np.append(entries, float(problem.degrees(True)))


def _related_sum(problem: Problem, b: int) -> np.ndarray:
    """Sum over levels of the diagonal blocks of P^-1 Z'Z of one block, (K, K)."""
    gram, penalty = problem.grams[b], problem.penalties[b]
    if penalty is None:
        return np.asarray(gram.sum(axis=0))
    known, pairs = penalty.relationship, problem.pairs[b, b]
    out = np.tensordot(known.diagonal, gram, axes=1)
    met = np.flatnonzero(pairs.data.any(axis=(1, 2)))
    if len(met):
        both = np.tensordot(known.entries(pairs.rows[met], pairs.indices[met]), pairs.data[met], axes=1)
        out = out + both + both.T
    return np.asarray(out)


def _judged(problem: Problem, pls: Pls, directions: np.ndarray) -> Unidentified:
    """Name the parameters, and follow the coefficients along the directions."""
    layout, p = problem.layout, problem.p
    size = 1.0 + max(float(np.square(lam).sum()) for lam in pls.lams)
    beta, cov = np.zeros((directions.shape[1], p)), np.zeros((directions.shape[1], p, p))
    sigma2 = pls.pwrss / problem.degrees(pls.reml)
    for i, direction in enumerate(directions.T):
        step = size * direction / np.abs(direction).max()
        inner, pull = np.zeros((p, p)), np.zeros(p)
        related = problem.related(pls.Hx)
        for b, (lam, hx, zeta) in enumerate(zip(pls.lams, pls.Hx, pls.zeta, strict=True)):
            # W^-1 = V_0 less what the random effects add to it.
            change = symmetric(layout, b, step) - step[-1] * lam @ lam.T
            turned = np.swapaxes(related[b], 1, 2) @ change
            inner += (turned @ hx).sum(axis=0)
            pull -= np.einsum("lpk,lk->p", turned, zeta)
        beta[i] = solve_triangular(problem.basis.root, pls.K @ pull) if p else pull
        cov[i] = sigma2 * problem.basis.covariance(pls.K @ inner @ pls.K + step[-1] * pls.K)
    return Unidentified(_components(problem, directions), beta, cov)


def _components(problem: Problem, directions: np.ndarray) -> tuple[Component, ...]:
    """Collect the parameters that the directions join, in the user's basis."""
    layout = problem.layout
    keys: list[tuple[int, int, int]] = [
        (t, i, j) for t, term in enumerate(problem.terms) for i in range(term.k) for j in range(i + 1)
    ]
    table = np.empty((len(keys) + 1, directions.shape[1]))
    for d, direction in enumerate(directions.T):
        values = []
        for t, (b, start, whiten) in enumerate(zip(layout.term_block, layout.term_start, layout.whiten, strict=True)):
            inside = slice(start, start + len(whiten))
            back = np.linalg.inv(whiten)
            # In units of each effect's SD over the rows.
            spread = np.linalg.norm(whiten, axis=0)[:, None]
            moved = spread * (back @ symmetric(layout, b, direction)[inside, inside] @ back.T) * spread.T
            values += [moved[i, j] for (owner, i, j) in keys if owner == t]
        table[:, d] = [*values, direction[-1]]
    basis, _ = np.linalg.qr(table / np.linalg.norm(table, axis=0))
    joint = np.abs(basis @ basis.T)
    alone = {key: bool(joint[a, a] > 1.0 - _PART) for a, key in enumerate(keys)}
    for a, key in enumerate(keys):
        for other, twin in enumerate(keys):
            joint[a, other] = 1.0 if alone[key] and alone[twin] and key[0] == twin[0] else joint[a, other]
    left = [int(a) for a in np.flatnonzero(np.diagonal(joint) > _PART)]
    out = []
    while left:
        members = _connected(joint, left)
        left = [a for a in left if a not in members]
        entries = frozenset(keys[a] for a in members if a < len(keys))
        out.append(describe(problem, entries, len(keys) in members, {key for key in entries if alone[key]}))
    return tuple(out)


def _connected(joint: np.ndarray, left: list[int]) -> set[int]:
    """Return the first of `left`, and all that hang together with it."""
    members, new = {left[0]}, [left[0]]
    while new:
        at = new.pop()
        further = [a for a in left if a not in members and joint[at, a] > _PART]
        members.update(further)
        new += further
    return members
