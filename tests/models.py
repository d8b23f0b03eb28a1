"""Small random designs, one line each in `DESIGNS`: every structure that the engines treat in its own way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mixedsparse import LinearMixedModel, RandomTerm
from mixedsparse.core.problem.problem import Problem, make_problem


@dataclass(frozen=True, eq=False)
class Small:
    """Arrays of one model; `X_kept` is X without its dependent columns."""

    y: np.ndarray
    X: np.ndarray
    terms: tuple[RandomTerm, ...]
    weights: np.ndarray | None = None
    dependent: tuple[int, ...] = ()

    @property
    def X_kept(self) -> np.ndarray:
        return np.delete(self.X, self.dependent, axis=1)

    @property
    def n_theta(self) -> int:
        return sum(term.n_theta for term in self.terms)

    def problem(self) -> Problem:
        return make_problem(self.y, self.X, self.terms, self.weights)

    def model(self) -> LinearMixedModel:
        return LinearMixedModel.from_arrays(self.y, self.X, self.terms, weights=self.weights)


Rng = np.random.Generator


def codes(rng: Rng, n: int, levels: int) -> np.ndarray:
    """Unbalanced codes (n,) in which every level occurs."""
    return rng.permutation(np.concatenate([np.arange(levels), rng.integers(levels, size=n - levels)]))


def simulate(rng: Rng, X: np.ndarray, terms: tuple[RandomTerm, ...], sd: float = 1.0) -> Small:
    """Draw y with correlated effects of standard deviation about `sd` in every term."""
    y = X @ rng.normal(size=X.shape[1]) + rng.normal(size=len(X))
    for term in terms:
        size = np.sqrt(np.square(term.z).mean(axis=0))
        effects = sd * rng.normal(size=(term.n_levels, term.k)) @ (np.eye(term.k) + 0.3) / size
        y = y + np.einsum("ij,ij->i", term.z, effects[term.codes])
    return Small(y, X, terms)


def ones(n: int) -> np.ndarray:
    return np.ones((n, 1))


def with_x(rng: Rng, n: int) -> np.ndarray:
    return np.column_stack([np.ones(n), rng.normal(size=n)])


def intercept(rng: Rng) -> Small:
    return simulate(rng, with_x(rng, 60), (RandomTerm("g", codes(rng, 60, 12), ones(60)),))


def slopes(rng: Rng) -> Small:
    X = with_x(rng, 80)
    return simulate(rng, X, (RandomTerm("g", codes(rng, 80, 14), X),))


def nested(rng: Rng) -> Small:
    pupil_class = codes(rng, 90, 20)
    terms = RandomTerm("class", pupil_class, ones(90)), RandomTerm("school", pupil_class // 4, ones(90))
    return simulate(rng, with_x(rng, 90), terms)


def crossed(rng: Rng) -> Small:
    terms = RandomTerm("s", codes(rng, 90, 15), ones(90)), RandomTerm("i", codes(rng, 90, 9), ones(90))
    return simulate(rng, with_x(rng, 90), terms)


def crossed_slopes(rng: Rng) -> Small:
    X = with_x(rng, 120)
    return simulate(rng, X, (RandomTerm("s", codes(rng, 120, 12), X), RandomTerm("i", codes(rng, 120, 9), X)))


def double_bar(rng: Rng) -> Small:
    """(1 + x || g) + (1 | h): two terms on one factor, the smaller factor written between them."""
    X, g = with_x(rng, 100), codes(rng, 100, 12)
    terms = (
        RandomTerm("g", g, X[:, :1]),
        RandomTerm("h", codes(rng, 100, 7), ones(100)),
        RandomTerm("g", g, X[:, 1:]),
    )
    return simulate(rng, X, terms)


def two_terms_per_factor(rng: Rng) -> Small:
    """(1 + x | g) + (0 + v | g) + (1 | h) + (0 + x | h): blocks wider than their terms on both sides of the split."""
    X, v, g, h = with_x(rng, 120), rng.normal(size=120), codes(rng, 120, 10), codes(rng, 120, 8)
    terms = RandomTerm("g", g, X), RandomTerm("h", h, ones(120)), RandomTerm("g", g, v), RandomTerm("h", h, X[:, 1])
    return simulate(rng, X, terms)


def three_factors(rng: Rng) -> Small:
    X = with_x(rng, 120)
    terms = (
        RandomTerm("c", codes(rng, 120, 5), ones(120)),
        RandomTerm("a", codes(rng, 120, 14), X),
        RandomTerm("b", codes(rng, 120, 9), ones(120)),
    )
    return simulate(rng, X, terms)


def factor_slopes(rng: Rng) -> Small:
    """(0 + f | g) with three levels of f: most levels of g lack some column of z."""
    f, g = np.eye(3)[codes(rng, 100, 3)], codes(rng, 100, 16)
    return simulate(rng, f, (RandomTerm("g", g, f), RandomTerm("h", codes(rng, 100, 6), ones(100))))


def dependent_basis(rng: Rng) -> Small:
    """(1 + f | g) over-parameterised: the columns of z are linearly dependent."""
    f = np.eye(2)[codes(rng, 80, 2)]
    return simulate(rng, ones(80), (RandomTerm("g", codes(rng, 80, 12), np.column_stack([np.ones(80), f])),))


def ties(rng: Rng) -> Small:
    """Factors with equally many levels: ties in theta keep the order of the formula."""
    X = with_x(rng, 90)
    return simulate(rng, X, (RandomTerm("h", codes(rng, 90, 8), ones(90)), RandomTerm("g", codes(rng, 90, 8), X)))


def twins(rng: Rng) -> Small:
    """Two names for one partition of the rows."""
    X, g = with_x(rng, 90), codes(rng, 90, 10)
    terms = RandomTerm("g", g, ones(90)), RandomTerm("twin", g.copy(), X[:, 1]), RandomTerm("h", g // 3, ones(90))
    return simulate(rng, X, terms)


def weighted(rng: Rng) -> Small:
    return replace(crossed_slopes(rng), weights=rng.uniform(0.2, 5.0, 120))


def no_fixed(rng: Rng) -> Small:
    return replace(small := crossed(rng), X=np.empty((len(small.y), 0)))


def rank_deficient(rng: Rng) -> Small:
    small = crossed(rng)
    X = np.column_stack([small.X, 2.0 - 3.0 * small.X[:, 1], rng.normal(size=90)])
    return replace(small, X=X, dependent=(2,))


def scattered(rng: Rng) -> Small:
    """Two factors with many levels that rarely meet: cross-products by sorting, not by a table."""
    terms = RandomTerm("s", codes(rng, 300, 80), ones(300)), RandomTerm("i", codes(rng, 300, 70), ones(300))
    return simulate(rng, with_x(rng, 300), terms)


def filled(rng: Rng) -> Small:
    """Crossed slopes whose factor fills in: supernodes wide enough for LAPACK."""
    X = with_x(rng, 400)
    return simulate(rng, X, (RandomTerm("s", codes(rng, 400, 30), X), RandomTerm("i", codes(rng, 400, 26), X)))


DESIGNS: dict[str, Callable[[Rng], Small]] = {
    design.__name__: design
    for design in (
        intercept,
        slopes,
        nested,
        crossed,
        crossed_slopes,
        double_bar,
        two_terms_per_factor,
        three_factors,
        factor_slopes,
        dependent_basis,
        ties,
        twins,
        weighted,
        no_fixed,
        rank_deficient,
        scattered,
        filled,
    )
}


def make(name: str, seed: int) -> Small:
    """The design `name` with data from `seed`."""
    return DESIGNS[name](np.random.default_rng([seed, len(name)]))


def random_theta(small: Small, seed: int, *, zeros: bool = False) -> np.ndarray:
    """Any theta (m,), signs and all; with `zeros`, about half of the diagonal entries are 0."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=small.n_theta)
    if zeros:
        diagonal = small.problem().theta_layout.is_diagonal
        theta[diagonal & (rng.random(small.n_theta) < 0.5)] = 0.0
        theta[np.flatnonzero(diagonal)[0]] = 0.0
    return theta
