"""Stochastic traces: the sums of the diagonal blocks of Z'V_0^-1 Z, each with its Monte-Carlo error.

Source: Hutchinson (1990), Commun. Stat. Simul. 19, 433-450, with control variates. On the rest, notation of `factor`,

    W = Z_2'V_0^-1 Z_2 = U - U Lambda S^-1 Lambda'U.

Let D and O be the diagonal blocks of U and what is off them, P = I + Lambda'D Lambda, J = I - D Lambda P^-1 Lambda'.
Then W = J D + J O J' - (J O Lambda) S^-1 (J O Lambda)'. The first term is block diagonal and known, the second has no
diagonal blocks, and in the third S^-1 is about the coarse solution X Theta^-1 X', whose part is known too. For random
signs z and any invertible block diagonal Psi, E W Psi z (Psi'^-1 z)' = W; only what the known parts leave of it is
random. Psi = Lambda where that is safely invertible; a diagonal entry near 0 is replaced by a typical length of its
effect, Psi = Lambda + Delta, at the price of a second solution:

    W Lambda z = Lambda'^-1 (z - S^-1 z),    W Psi z = U (Delta z + Lambda S^-1 (z - Lambda'U Delta z)).

Eliminated block: Z_1'V_0^-1 Z_1 has the blocks R_l (A_l - Q_l R_l'), Q = G S^-1 G', G = A_12 Lambda, from the same
S^-1 z; known: S^-1 is about P^-1 + X (Theta^-1 - I) X'.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixedsparse.core.engines.krylov.solver import KrylovSolver
from mixedsparse.core.engines.krylov.system import System
from mixedsparse.core.engines.level_blocks import apply_blocks
from mixedsparse.core.likelihood.interface import SampledTraces

__all__ = ["Probes", "estimate"]

# A diagonal entry below this share of the effect's typical length, 1 / sqrt(mean diagonal of U), is not divided by.
_SHORT = 0.1


class Probes:
    """Random signs, the same at every theta: batch i depends on the seed and on i only.

    Those of a batch, `per_batch`, are drawn and solved together.
    """

    per_batch = 16

    def __init__(self, system: System, seed: int, batches: int, per_batch: int = per_batch) -> None:
        self.system, self.per_batch = system, per_batch
        self.seed = seed
        self.batches = batches if system.rest else 0

    @property
    def number(self) -> int:
        """How many probes are in use."""
        return self.per_batch * self.batches

    def generator(self, *key: int) -> np.random.Generator:
        """Random numbers that are independent for every `key`."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def draw(self, batch: int) -> np.ndarray:
        """Signs (q_rest, per_batch)."""
        rng = self.generator(0, batch)
        bits = rng.integers(0, 256, size=(self.system.size, -(-self.per_batch // 8)), dtype=np.uint8)
        return 2.0 * np.unpackbits(bits, axis=1, count=self.per_batch) - 1.0


def estimate(
    factor: KrylovSolver,
    probes: Probes,
    earlier: SampledTraces | None = None,
    keep: list[np.ndarray] | None = None,
) -> SampledTraces:
    """Estimate at the theta of `factor`; probes that an `earlier` estimate there has used are not solved again.

    The solutions S^-1 z are added to `keep`, batch by batch, where it is given.
    """
    system = factor.engine.system
    known = [np.zeros_like(lam) for lam in factor.lams]
    if not system.rest:
        known[system.first] = apply_blocks(factor.shrink, system.problem.grams[system.first]).sum(axis=0)
        return SampledTraces(known, [np.zeros((1, *k.shape)) for k in known])
    first, rest = _Eliminated(factor), _Rest(factor)
    for b in range(len(known)):
        known[b] = _symmetric(first.known if b == system.first else rest.known[b])
    drawn = [[] if earlier is None else [samples] for samples in (earlier.samples if earlier else known)]
    for batch in range(0 if earlier is None else len(earlier.samples[0]) // probes.per_batch, probes.batches):
        z = probes.draw(batch)
        solved = factor.invert_probes(z)
        if keep is not None:
            keep.append(solved.astype(np.float32))
        found = rest.sample(z, solved) | {system.first: first.sample(z, solved)}
        for b, samples in found.items():
            drawn[b].append(_symmetric(samples))
    return SampledTraces(known, [np.concatenate(d) for d in drawn])


class _Eliminated:
    """The eliminated block at one theta."""

    def __init__(self, factor: KrylovSolver) -> None:
        system = factor.engine.system
        coarse = factor.coarse
        self.factor = factor
        self.scale = 1.0 / coarse.theta - 1.0
        jacobi = {b: factor.lams[b] @ factor.jacobi[b] @ factor.lams[b].T for b in system.rest}
        reached = system.to_first(factor.times_factor(coarse.basis))
        quadratic = system.first_diagonal(jacobi) + (reached * self.scale) @ reached.swapaxes(1, 2)
        gram = system.problem.grams[system.first]
        shrunk = factor.shrink.swapaxes(1, 2)
        self.known = apply_blocks(factor.shrink, gram - apply_blocks(quadratic, shrunk)).sum(axis=0)

    def sample(self, z: np.ndarray, solved: np.ndarray) -> np.ndarray:
        """Return minus the sum over levels of R_l (Q_l - known Q_l) R_l', (probes, K, K)."""
        factor, system, coarse = self.factor, self.factor.engine.system, self.factor.coarse
        left = solved - factor.smooth(z) - coarse.basis @ (self.scale[:, None] * (coarse.basis.T @ z))
        left, right = (apply_blocks(factor.shrink, system.to_first(factor.times_factor(v))) for v in (left, z))
        return -_outer_sums(left, right)


class _Rest:
    """The rest at one theta."""

    def __init__(self, factor: KrylovSolver) -> None:
        self.factor = factor
        system, coarse, lam = factor.engine.system, factor.coarse, factor.lams
        self.keep = {
            b: np.eye(len(lam[b])) - factor.diagonal[b] @ lam[b] @ factor.jacobi[b] @ lam[b].T for b in system.rest
        }
        self.keep_t = {b: keep.swapaxes(1, 2) for b, keep in self.keep.items()}
        scaled = factor.times_factor(coarse.basis)
        self.far = system.mix(self.keep, factor.schur_times(scaled) - system.mix(factor.diagonal, scaled))
        self.theta = coarse.theta
        self.psi, self.delta = _invertible(lam, factor.diagonal)
        self.inverse = [np.linalg.inv(psi).T for psi in self.psi]
        self.is_invertible = not any(delta.any() for delta in self.delta)
        self.known = {}
        for b in system.rest:
            far = system.view(self.far, b)
            self.known[b] = (self.keep[b] @ factor.diagonal[b]).sum(axis=0) - _gram(far / np.sqrt(self.theta))

    def sample(self, z: np.ndarray, solved: np.ndarray) -> dict[int, np.ndarray]:
        """Return the sums over levels of (W - known parts) Psi z (Psi'^-1 z)', (probes, K, K) per block."""
        factor, system = self.factor, self.factor.engine.system
        outer = system.mix(self.inverse, z)
        if self.is_invertible:
            image = system.mix(self.inverse, z - solved)
        else:
            shift = system.mix(self.delta, z)
            solved = solved - factor.invert_probes(factor.times_factor_t(factor.schur_times(shift)))
            image = factor.schur_times(shift + factor.times_factor(solved))
            # The residual of the solution, so that its error enters squared, as in the other form.
            image += system.mix(self.inverse, z - solved - factor.times_factor_t(image))
        inner = system.mix(self.psi, z)
        back = system.mix(self.keep_t, inner)
        near = system.mix(factor.diagonal, inner - back) + factor.schur_times(back)
        image -= system.mix(self.keep, near) - self.far @ ((self.far.T @ inner) / self.theta[:, None])
        return {b: _outer_sums(system.view(image, b), system.view(outer, b)) for b in system.rest}


def _invertible(
    lams: Sequence[np.ndarray], diagonal: dict[int, np.ndarray]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Psi and Delta = Psi - Lambda of each block."""
    psi, delta = [], []
    for b, lam in enumerate(lams):
        change = np.zeros_like(lam)
        if b in diagonal:
            size = np.diagonal(diagonal[b].mean(axis=0))
            short = _SHORT / np.sqrt(np.where(size > 0, size, 1.0))
            entry = np.diagonal(lam)
            np.fill_diagonal(change, np.where(np.abs(entry) < short, short - entry, 0.0))
        psi.append(lam + change if b in diagonal else np.eye(len(lam)))
        delta.append(change)
    return psi, delta


def _gram(vectors: np.ndarray) -> np.ndarray:
    """Sum over levels and columns of v v', (K, K), for vectors (levels, K, r)."""
    flat = vectors.swapaxes(0, 1).reshape(vectors.shape[1], -1)
    return flat @ flat.T


def _outer_sums(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Sum over levels of left right', column by column: (r, K, K) for vectors (levels, K, r)."""
    return np.einsum("lan,lbn->nab", left, right)


def _symmetric(matrices: np.ndarray) -> np.ndarray:
    return 0.5 * (matrices + matrices.swapaxes(-1, -2))
