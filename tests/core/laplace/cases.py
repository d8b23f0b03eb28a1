"""Small generalized models of every structure, family and link."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse import RandomTerm
from mixedsparse.core.likelihood.family import FAMILIES, Family
from tests.core.laplace.oracle import Dense
from tests.models import codes, ones, with_x

STRUCTURES = ["scalar", "slope", "crossed", "nested", "levels as many as rows", "slopes crossed"]
KINDS = [(family, link) for family, kind in FAMILIES.items() for link in kind.links]


@dataclass(frozen=True, eq=False)
class Case:
    """A model, and parameters at which it is evaluated (theta order, users' units)."""

    dense: Dense
    theta: np.ndarray
    beta: np.ndarray
    psi: float

    @property
    def family(self) -> Family:
        return self.dense.family


def make_case(family: str, link: str, structure: str, seed: int = 0, n: int = 60) -> Case:
    """Draw responses at moderate parameters."""
    rng = np.random.default_rng([seed, STRUCTURES.index(structure), KINDS.index((family, link))])
    made = FAMILIES[family](link)
    X = with_x(rng, n)
    terms = _terms(rng, structure, n, X)
    terms = tuple(sorted(terms, key=lambda t: -t.n_levels))
    narrow = link in ("identity", "inverse", "1/mu^2", "sqrt")
    beta = np.array([2.2, 0.1]) if narrow else np.array([0.3, 0.4])
    theta, scale = [], 0.12 if narrow else 0.6
    for term in terms:
        lam = np.tril(0.4 * scale * rng.normal(size=(term.k, term.k)))
        lam[np.diag_indices(term.k)] = scale * (0.7 + rng.random(term.k))
        theta += [lam[r, c] for c in range(term.k) for r in range(c, term.k)]
    m = rng.integers(1, 6, size=n).astype(float) if family == "binomial" else np.ones(n)
    if family in ("gamma", "inverse_gaussian"):
        m = rng.integers(1, 4, size=n) / 2.0
    offset = 0.2 * rng.random(n)
    empty = Dense(made, np.ones(n), X, terms, m, offset)
    u = rng.normal(size=empty.Z.shape[1])
    eta = offset + X @ beta + empty.Z @ empty.factor(np.array(theta)) @ u
    psi = 0.9 if made.has_dispersion else 0.0
    y = draw(rng, family, made.mean(np.maximum(eta, 0.4) if narrow else eta), m, psi)
    return Case(Dense(made, y, X, terms, m, offset), np.array(theta), beta, psi)


def draw(rng: np.random.Generator, family: str, mu: np.ndarray, m: np.ndarray, psi: float) -> np.ndarray:
    """Responses with these means."""
    size = np.exp(psi)
    if family == "binomial":
        return rng.binomial(m.astype(int), mu) / m
    if family == "poisson":
        return rng.poisson(mu).astype(float)
    if family == "gamma":
        return rng.gamma(m * size, mu / (m * size))
    if family == "inverse_gaussian":
        return rng.wald(mu, m * size)
    if family == "nb1":
        return rng.poisson(rng.gamma(mu / size, size)).astype(float)
    return rng.poisson(rng.gamma(size, mu / size)).astype(float)


def _terms(rng: np.random.Generator, structure: str, n: int, X: np.ndarray) -> tuple[RandomTerm, ...]:
    g = codes(rng, n, 9)
    if structure == "scalar":
        return (RandomTerm("g", g, ones(n)),)
    if structure == "slope":
        return (RandomTerm("g", g, X),)
    if structure == "crossed":
        return RandomTerm("g", g, ones(n)), RandomTerm("h", codes(rng, n, 7), ones(n))
    if structure == "nested":
        fine = codes(rng, n, 16)
        return RandomTerm("fine", fine, ones(n)), RandomTerm("coarse", fine // 4, ones(n))
    if structure == "slopes crossed":
        return RandomTerm("g", g, X), RandomTerm("h", codes(rng, n, 6), with_x(rng, n))
    return RandomTerm("row", np.arange(n), ones(n)), RandomTerm("g", g, ones(n))
