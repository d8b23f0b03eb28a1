"""Random responses around X beta for the bootstrap: y* - X beta = Z b* + e*, from one seed each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.slots import per_slot
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.ground.errors import OptionError

__all__ = ["Sampler", "parametric_sampler", "residual_sampler", "response_sampler"]

# Draws (B, n) from B seeds: the same seed gives the same row, whatever the others are.
Sampler = Callable[[Sequence[np.random.SeedSequence]], np.ndarray]


class Estimates(Protocol):
    """What draws need of a fit: sigma^2, Lambda_t of each term, and the conditional modes, terms in theta order."""

    @property
    def sigma2(self) -> float: ...
    @property
    def templates(self) -> Sequence[np.ndarray]: ...
    @property
    def modes(self) -> Sequence[np.ndarray]: ...


# Eigenvalues of an empirical covariance below this share of the largest count as zero.
_FLAT = 1e-10


def parametric_sampler(problem: Problem, fit: Estimates) -> Sampler:
    """Draw normal random effects and errors with the covariances of `fit`."""
    sigma = float(np.sqrt(fit.sigma2))
    whitener = problem.whitener
    spread = _noise_spread(problem if whitener is None or problem.origin is None else problem.origin, sigma)
    shapes = [(term.n_levels, term.k) for term in problem.terms]
    ends = np.cumsum([levels * k for levels, k in shapes], dtype=int)
    count = int(ends[-1]) if len(ends) else 0

    def draw(seeds: Sequence[np.random.SeedSequence]) -> np.ndarray:
        normal = np.array([np.random.default_rng(seed).standard_normal(count + problem.n) for seed in seeds])
        pieces = np.split(normal, ends, axis=1)
        effects = [
            _related(term, sigma * piece.reshape(-1, *shape) @ lam.T)
            for term, piece, shape, lam in zip(problem.terms, pieces[:-1], shapes, fit.templates, strict=True)
        ]
        white = pieces[-1] if whitener is None else whitener.colour(pieces[-1].T).T
        return _add_effects(problem.terms, white * spread, effects)

    return draw


def response_sampler(
    n: int,
    terms: Sequence[RandomTerm],
    templates: Sequence[np.ndarray],
    respond: Callable[[np.random.Generator, np.ndarray], np.ndarray],
) -> Sampler:
    """Draw normal random effects b = Lambda u of `terms`, and what `respond` draws of Z b (n,) with the same generator.

    `templates` are Lambda_t (k, k) of each term.
    """

    def one(seed: np.random.SeedSequence) -> np.ndarray:
        rng = np.random.default_rng(seed)
        effects = [
            _related(term, rng.standard_normal((1, term.n_levels, term.k)) @ lam.T)
            for term, lam in zip(terms, templates, strict=True)
        ]
        return respond(rng, _add_effects(terms, np.zeros((1, n)), effects)[0])

    return lambda seeds: np.array([one(seed) for seed in seeds])


def residual_sampler(problem: Problem, fit: Estimates, residual: np.ndarray) -> Sampler:
    """Draw conditional modes and residuals with replacement, once centred and reflated to the covariances of `fit`.

    Modes are drawn by level, residuals by row. `residual` (n,) is in units of y. Source: Carpenter, Goldstein & Rasbash
    (2003), Appl. Statist. 52, 431-443.

    Raises
    ------
    OptionError
        Levels are related to one another, so that their modes cannot change places.
    """
    for term in problem.terms:
        if term.precision is not None:
            raise OptionError(
                f"The levels of {term.group!r} are related to one another, so that their modes cannot be drawn like "
                "independent ones: use kind='parametric'."
            )
    sigma = float(np.sqrt(fit.sigma2))
    scaled = residual if problem.root_weights is None else residual * problem.root_weights
    scaled = scaled - scaled.mean()
    scaled = scaled / np.sqrt(np.square(scaled).mean())
    spread = _noise_spread(problem, sigma)
    pools = [_reflate(modes, sigma * lam) for modes, lam in zip(fit.modes, fit.templates, strict=True)]

    def draw(seeds: Sequence[np.random.SeedSequence]) -> np.ndarray:
        rngs = [np.random.default_rng(seed) for seed in seeds]
        effects = [np.array([pool[rng.integers(len(pool), size=len(pool))] for rng in rngs]) for pool in pools]
        noise = np.array([scaled[rng.integers(problem.n, size=problem.n)] for rng in rngs])
        return _add_effects(problem.terms, noise * spread, effects)

    return draw


def _noise_spread(problem: Problem, sigma: float) -> np.ndarray:
    """Return the standard deviations of the errors, (n,)."""
    return np.full(problem.n, sigma) if problem.root_weights is None else sigma / problem.root_weights


def _add_effects(terms: Sequence[RandomTerm], out: np.ndarray, effects: Sequence[np.ndarray]) -> np.ndarray:
    """Out (B, n) + Z b, with b (B, levels, k) per term."""
    for term, b in zip(terms, effects, strict=True):
        for codes, z in per_slot(term.codes, term.z):
            for a in range(term.k):
                out += b[:, codes, a] * z[:, a]
    return out


def _related(term: RandomTerm, effects: np.ndarray) -> np.ndarray:
    """Independent effects (B, levels, k) with the covariance that the levels of `term` have."""
    if term.precision is None:
        return effects
    return term.precision.draw(effects.swapaxes(0, 1)).swapaxes(0, 1)


def _reflate(modes: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Modes (levels, k) centred and mixed so that their empirical covariance is root root'.

    Directions in which the modes do not vary stay still.
    """
    centred = modes - modes.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(modes))
    moving = values > _FLAT * max(float(values.max(initial=0.0)), 1e-300)
    inverse = vectors[:, moving] / np.sqrt(values[moving])
    # Modes sphered in their own axes, turned back, then given the covariance wanted.
    return np.asarray(centred @ inverse @ vectors[:, moving].T @ _symmetric_root(root).T)


def _symmetric_root(root: np.ndarray) -> np.ndarray:
    """Symmetric square root of root root'."""
    left, size, _ = np.linalg.svd(root)
    return np.asarray((left * size) @ left.T)
