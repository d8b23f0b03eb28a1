"""The terms of an encoder, taken apart: which factors, and which coded column of each makes up a column of the matrix.

With it a term can be written in every level of its factors at once, whatever the contrasts, and mapped to the columns
that there are: what hypotheses about terms, and models without a term, are made of.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.data.formula.encoders import Encoder, Recipe, Transform
from mixedsparse.ground.errors import FormulaError

__all__ = ["Products", "Structure", "read_products", "read_structure", "separate_columns"]

# A column that the terms' own columns reproduce only up to this share is not spanned by them.
_SPANNED = 1e-8

# Coefficients of a column in the basis 1, first contrast, second contrast, ... of each factor.
Expansion = dict[frozenset[tuple[str, int]], float]


@dataclass(frozen=True, slots=True, eq=False)
class _Factor:
    """A factor of terms: `inverse` of [1, contrasts], shape (levels, levels); numeric: None, and columns in `width`."""

    name: str
    width: int
    inverse: np.ndarray | None

    @property
    def is_number(self) -> bool:
        """Whether it is one numeric column."""
        return self.inverse is None and self.width == 1

    def expand(self, reduced: bool, j: int) -> dict[int, float]:
        """Coefficients of coded column j in the basis; of a numeric factor, column j stands for itself."""
        if self.inverse is None or reduced:
            return {j + 1: 1.0}
        return {k: float(value) for k, value in enumerate(self.inverse[:, j]) if value != 0.0}


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """Terms of a matrix, each written in all levels of its factors: one parameter for every combination of levels.

    Attributes
    ----------
    labels : tuple of str
        Terms, ``"1"`` for the intercept.
    columns : tuple of slice
        Columns of the matrix that belong to each term.
    factors, numeric : tuple of frozenset of str
        Factors of each term; those of them that are one numeric column.
    map : ndarray, shape (columns, parameters)
        Columns of all levels = matrix @ map.
    owner : ndarray of int, shape (parameters,)
        Term of each parameter.
    firsts : ndarray of int, shape (parameters,)
        Number of factors that are at their first level.
    of_means : tuple of bool
        Whether all factors of each term have levels, so that its parameters are parts of means; not the intercept.
    """

    labels: tuple[str, ...]
    columns: tuple[slice, ...]
    factors: tuple[frozenset[str], ...]
    numeric: tuple[frozenset[str], ...]
    map: np.ndarray
    owner: np.ndarray
    firsts: np.ndarray
    of_means: tuple[bool, ...]

    def containing(self, term: int) -> list[int]:
        """Terms that contain `term`: all its factors and more, with the same numeric ones."""
        own, numeric = self.factors[term], self.numeric[term]
        return [j for j, other in enumerate(self.factors) if own < other and self.numeric[j] == numeric]

    def droppable(self) -> list[int]:
        """Terms that are not part of another one, numeric or not; never the intercept."""
        return [
            i for i, own in enumerate(self.factors) if self.labels[i] != "1" and not any(own < f for f in self.factors)
        ]

    def without(self, term: int) -> np.ndarray:
        """Columns (matrix columns, parameters) of the map of all other terms: they span the model without `term`."""
        return self.map[:, self.owner != term]


def separate_columns(columns: Mapping[str, slice]) -> Structure:
    """Structure of a matrix whose columns are numbers that stand for themselves."""
    labels = tuple(columns)
    owner = np.concatenate([np.full(c.stop - c.start, i) for i, c in enumerate(columns.values())] or [np.empty(0, int)])
    own = tuple(frozenset([label]) if label != "1" else frozenset() for label in labels)
    size = len(owner)
    firsts = np.zeros(size, dtype=int)
    return Structure(labels, tuple(columns.values()), own, own, np.eye(size), owner, firsts, (False,) * len(labels))


def read_structure(encoder: Encoder) -> Structure:
    """Take the terms of `encoder` apart.

    Raises
    ------
    FormulaError
        A term multiplies two transforms of several columns each that stand nowhere alone.
    """
    factors, terms = _of_recipe(encoder) if isinstance(encoder, Recipe) else _of_transform(encoder)
    made = [
        _expand([(factors[f], reduced, j) for f, reduced, j in parts], scale)
        for _, columns in terms
        for scale, parts in columns
    ]
    full, owner, firsts = [], [], []
    for i, (names, _) in enumerate(terms):
        # The first factor varies fastest, as in the columns.
        for turned in itertools.product(*(range(factors[f].width) for f in reversed(names))):
            indices = turned[::-1]
            full.append(_expand([(factors[f], False, j) for f, j in zip(names, indices, strict=True)]))
            owner.append(i)
            firsts.append(sum(j == 0 and factors[f].inverse is not None for f, j in zip(names, indices, strict=True)))
    labels = tuple(encoder.terms)
    return Structure(
        labels,
        tuple(encoder.terms.values()),
        tuple(frozenset(names) for names, _ in terms),
        tuple(frozenset(f for f in names if factors[f].is_number) for names, _ in terms),
        _solve(made, full, encoder.side.label),
        np.array(owner, dtype=int),
        np.array(firsts, dtype=int),
        tuple(bool(names) and all(factors[f].inverse is not None for f in names) for names, _ in terms),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """Columns of a matrix as products of numbers and coded factors.

    Attributes
    ----------
    columns : tuple of (float, parts)
        Scale of each column, and its parts (factor, reduced, column of the coding).
    levels : dict
        Levels of each factor that is coded, in the order of its codes; other factors are numbers.
    codings : dict
        (factor, reduced) -> numbers (levels, columns) that stand for the levels.
    """

    columns: tuple[tuple[float, tuple[Part, ...]], ...]
    levels: Mapping[str, Sequence[Any]]
    codings: Mapping[tuple[str, bool], np.ndarray]


def read_products(encoder: Encoder) -> Products:
    """Take the columns of `encoder` apart."""
    _, terms = _of_recipe(encoder) if isinstance(encoder, Recipe) else _of_transform(encoder)
    levels: dict[str, Sequence[Any]] = {}
    codings: dict[tuple[str, bool], np.ndarray] = {}
    for name, coding in encoder.codings.items():
        every = np.arange(len(coding.levels))
        levels[name] = coding.levels
        for reduced in (False, True):
            columns = [coding.column(every, reduced, j) for j in range(len(every) - reduced)]
            codings[name, reduced] = np.column_stack(columns)
    for name, (kind, state) in encoder.spec.encoder_state.items() if isinstance(encoder, Transform) else ():
        if kind.value == "categorical" and name not in levels:
            levels[name] = list(state["categories"])
            for reduced in (False, True):
                codings[name, reduced] = state["contrasts"].get_coding_matrix(reduced_rank=reduced).to_numpy()
    return Products(tuple(column for _, columns in terms for column in columns), levels, codings)


Part = tuple[str, bool, int]
# Factors of a term, and its columns: a scale and the coded columns whose product it is.
Term = tuple[tuple[str, ...], list[tuple[float, tuple[Part, ...]]]]


def _of_recipe(encoder: Recipe) -> tuple[dict[str, _Factor], list[Term]]:
    factors = {alias: _factor(alias, _contrasts(encoder, alias), 1) for alias in encoder.side.bare}
    terms: list[Term] = []
    for columns in encoder.terms.values():
        products = encoder.products[columns]
        names = tuple(dict.fromkeys(f for product in products for f, _, _ in product))
        terms.append((names, [(1.0, product) for product in products]))
    return factors, terms


def _of_transform(encoder: Encoder) -> tuple[dict[str, _Factor], list[Term]]:
    assert isinstance(encoder, Transform)
    spec = encoder.spec
    factors: dict[str, _Factor] = {}
    for expr, (kind, state) in spec.encoder_state.items():
        if kind.value != "categorical":
            continue
        matrix = _contrasts(encoder, expr)
        if matrix is None:
            matrix = state["contrasts"].get_coding_matrix(reduced_rank=True).to_numpy()
        factors[expr] = _factor(expr, matrix, 1)
    rows = [
        (row, [(float(s.scale), [(f.factor.expr, f.reduced) for f in s.factors]) for s in row.scoped_terms])
        for row in spec.structure
    ]
    _numeric_widths(factors, rows, encoder.side.label)
    terms: list[Term] = []
    for row, scopes in rows:
        names = tuple(f.expr for f in row.term.factors if f.expr in factors)
        columns = [(scale, product) for scale, scope in scopes for product in _products(scope, factors)]
        terms.append((names, columns))
    return factors, terms


def _contrasts(encoder: Encoder, alias: str) -> np.ndarray | None:
    """Contrasts (levels, levels - 1) of a factor that stands as a bare column; None for anything else."""
    coding = encoder.codings.get(alias)
    if coding is None:
        return None
    every = np.arange(len(coding.levels))
    return np.column_stack([coding.column(every, True, j) for j in range(len(coding.levels) - 1)])


def _factor(name: str, contrasts: np.ndarray | None, width: int) -> _Factor:
    if contrasts is None:
        return _Factor(name, width, None)
    return _Factor(name, len(contrasts), np.linalg.inv(np.column_stack([np.ones(len(contrasts)), contrasts])))


def _numeric_widths(factors: dict[str, _Factor], rows: list, label: str) -> None:
    """Add the numeric factors: their numbers of columns follow from those of the terms."""
    waiting = list(rows)
    while waiting:
        left = []
        for row, scopes in waiting:
            unknown = {f for _, scope in scopes for f, _ in scope if f not in factors}
            if len(unknown) > 1:
                left.append((row, scopes))
            elif unknown:
                known = sum(
                    np.prod([factors[f].width - reduced for f, reduced in scope if f in factors]) for _, scope in scopes
                )
                name = unknown.pop()
                factors[name] = _factor(name, None, len(row.columns) // int(known))
        if len(left) == len(waiting):
            raise FormulaError(
                f"The terms of {label!r} cannot be told apart: a product of transforms with several columns each needs "
                "one of them as a term of its own."
            )
        waiting = left


def _products(scope: list[tuple[str, bool]], factors: Mapping[str, _Factor]) -> Iterator[tuple[Part, ...]]:
    """Columns of one scoped term, the first factor varying fastest."""
    parts = [[(f, reduced, j) for j in range(factors[f].width - reduced)] for f, reduced in scope]
    return (product[::-1] for product in itertools.product(*reversed(parts)))


def _expand(parts: list[tuple[_Factor, bool, int]], scale: float = 1.0) -> Expansion:
    """Product of the coded columns `parts` in the basis."""
    out: Expansion = {frozenset(): scale}
    for factor, reduced, j in parts:
        own = factor.expand(reduced, j)
        out = {
            key | {(factor.name, k)} if k else key: value * weight
            for key, value in out.items()
            for k, weight in own.items()
        }
    return out


def _solve(made: list[Expansion], full: list[Expansion], label: str) -> np.ndarray:
    """Map (made, full) with made @ map = full."""
    place: dict[frozenset[tuple[str, int]], int] = {}
    for expansion in itertools.chain(made, full):
        for key in expansion:
            place.setdefault(key, len(place))
    left, right = (np.zeros((len(place), len(columns))) for columns in (made, full))
    for matrix, columns in ((left, made), (right, full)):
        for j, expansion in enumerate(columns):
            for key, value in expansion.items():
                matrix[place[key], j] = value
    if not left.size:
        return np.zeros((len(made), len(full)))
    out = np.linalg.lstsq(left, right, rcond=None)[0]
    if np.abs(left @ out - right).max(initial=0.0) > _SPANNED:
        raise FormulaError(f"The columns of {label!r} do not span its terms: write the terms out without abbreviation.")
    return out
