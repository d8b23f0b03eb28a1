"""One side of a formula to a matrix: formulaic decides which columns there are, NumPy fills the plain ones.

A side whose factors are all bare columns becomes a `Recipe`: formulaic lays out a one-row frame once (the layout is
cached) and the columns are products of numbers and coded levels. Any other side (``log(x)``, ``poly(x, 2)``, ``C(g)``)
becomes a `Transform`, filled by formulaic itself, which remembers the state of its transforms for new data.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.data.formula.arithmetic import check_sums, holds_truth
from mixedsparse.data.formula.contrasts import Coding, Contrast
from mixedsparse.data.formula.materialise import materialise, materialise_sparse
from mixedsparse.data.formula.names import namespace
from mixedsparse.data.formula.sparse_sides import sparse_products
from mixedsparse.data.formula.translate import aliases_in, restore
from mixedsparse.data.formula.width import check_width
from mixedsparse.ground.errors import FormulaError, MixedSparseError

__all__ = ["Encoder", "Side", "evaluate", "fit_encoder", "parse_side"]

# Layouts of factors with more levels than this in all are not kept in the cache.
_CACHED_LEVELS = 1000


@dataclass(frozen=True, eq=False)
class Side:
    """A sum of terms as formulaic parsed it.

    Parameters
    ----------
    text : str
        The terms with columns as aliases.
    label : str
        The terms as typed.
    names : Mapping
        User's name of each alias.
    formula : formulaic.formula.SimpleFormula
    aliases, bare : tuple of str
        Aliases that occur, and those that stand as a factor of a term.
    plain : bool
        Whether all factors are bare columns.
    """

    text: str
    label: str
    names: Mapping[str, str]
    formula: Any
    aliases: tuple[str, ...]
    bare: tuple[str, ...]
    plain: bool


def parse_side(text: str, label: str, names: Mapping[str, str]) -> Side:
    """Let formulaic expand the terms of `text`."""
    from formulaic import Formula
    from formulaic.formula import SimpleFormula

    with readable_errors(label, names):
        formula = Formula(text)
    if not isinstance(formula, SimpleFormula):
        raise FormulaError(f"{label!r} cannot be read: write terms joined by '+'.")
    factors = {f.expr: f.eval_method.value for term in formula for f in term.factors}
    plain = all(method == "lookup" or (method == "literal" and expr == "1") for expr, method in factors.items())
    bare = tuple(expr for expr, method in factors.items() if method == "lookup")
    return Side(text, label, names, formula, aliases_in(text), bare, plain)


@contextmanager
def readable_errors(label: str, names: Mapping[str, str]):
    """Turn whatever formulaic, pandas or Python raise into a FormulaError about `label`, warnings silenced."""
    try:
        with np.errstate(all="ignore"):
            yield
    except MixedSparseError:
        raise
    except Exception as err:
        if isinstance(err.__cause__, MixedSparseError):
            raise err.__cause__ from None
        reason = restore(str(err).strip().split("\n")[0] or type(err).__name__, names).rstrip(".")
        text = isinstance(err, TypeError) or isinstance(err.__cause__, TypeError)
        mend = "Correct this part" + ("; text needs C(...) to be a factor." if text else ".")
        raise FormulaError(f"{label!r} cannot be evaluated: {reason}. {mend}") from err


@dataclass(frozen=True, eq=False)
class Encoder:
    """How one side becomes a matrix, for training rows and new rows alike.

    Parameters
    ----------
    side : Side
    codings : dict
        Coding of each alias that is a bare factor.
    names : tuple of str
        Names of the columns.
    terms : dict
        Columns of each term, a slice.
    """

    side: Side
    codings: Mapping[str, Coding]
    names: tuple[str, ...] = ()
    terms: Mapping[str, slice] = field(default_factory=dict)

    def matrix(self, values: Mapping[str, Any], n: int) -> np.ndarray:
        """Matrix (n, p): `values` holds numbers, codes of bare factors, and columns for function calls by alias."""
        raise NotImplementedError

    def sparse(self, values: Mapping[str, Any], n: int) -> SparseColumns:
        """Return the same matrix, of which only the numbers that are not 0 are made."""
        raise NotImplementedError

    def is_factor(self, expression: str) -> bool:
        """Whether a factor of a term, by its alias or its code, has levels."""
        return expression in self.codings


@dataclass(frozen=True, eq=False)
class Recipe(Encoder):
    """Encoder of a plain side: each column is a product of ``(alias, reduced, column of the coding)``."""

    products: tuple[tuple[tuple[str, bool, int], ...], ...] = ()

    def matrix(self, values: Mapping[str, Any], n: int) -> np.ndarray:
        """See `Encoder.matrix`."""
        X = np.empty((n, len(self.products)), order="F")
        made: dict[tuple[str, bool, int], np.ndarray] = {}

        def column(part: tuple[str, bool, int]) -> np.ndarray:
            alias, reduced, j = part
            if alias not in self.codings:
                return values[alias]
            if part not in made:
                made[part] = self.codings[alias].column(values[alias], reduced, j)
            return made[part]

        for i, product in enumerate(self.products):
            X[:, i] = reduce(np.multiply, map(column, product)) if product else 1.0
        return X

    def sparse(self, values: Mapping[str, Any], n: int) -> SparseColumns:
        """See `Encoder.sparse`."""
        return sparse_products(self.products, self.codings, values, n)


@dataclass(frozen=True, eq=False)
class Transform(Encoder):
    """Encoder of a side with function calls; `spec` holds formulaic's state, `env` the caller's functions."""

    spec: Any = None
    env: Mapping[str, Any] = field(default_factory=dict)

    def matrix(self, values: Mapping[str, Any], n: int) -> np.ndarray:
        """See `Encoder.matrix`."""
        with readable_errors(self.side.label, self.side.names):
            return materialise(self.spec, self.side.names, self._read(values), self.codings, n, self.env)[0]

    def sparse(self, values: Mapping[str, Any], n: int) -> SparseColumns:
        """See `Encoder.sparse`."""
        with readable_errors(self.side.label, self.side.names):
            return materialise_sparse(self.spec, self.side.names, self._read(values), self.codings, n, self.env)[0]

    def _read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {alias: values[alias] for alias in self.side.aliases}

    def is_factor(self, expression: str) -> bool:
        """See `Encoder.is_factor`."""
        state = self.spec.encoder_state.get(expression)
        return expression in self.codings or (state is not None and state[0].value == "categorical")


def fit_encoder(
    side: Side,
    values: Mapping[str, Any],
    codings: Mapping[str, Coding],
    n: int,
    env: Mapping[str, Any],
    levels: Mapping[str, Sequence[Any]] | None = None,
    may_be_sparse: bool = False,
) -> tuple[Encoder, np.ndarray]:
    """Find the columns of `side` for the training data; return the encoder and the matrix (n, p).

    `levels` are those of expressions, where `values` are too few to show them. A wide matrix, of a side that
    `may_be_sparse`, has its numbers that are not 0 only.
    """
    codings = {alias: codings[alias] for alias in side.bare if alias in codings}
    sparse = check_width(side, codings, values, n, may_be_sparse=may_be_sparse)
    if side.plain:
        small = sum(len(c.levels) for c in codings.values()) <= _CACHED_LEVELS
        lay_out = _recipe if small else _recipe.__wrapped__
        # Labels belong to the key: levels 1 and 1.0 are equal, their names are not.
        recipe = lay_out(side, tuple((alias, coding, tuple(coding.labels(False))) for alias, coding in codings.items()))
        return recipe, recipe.sparse(values, n) if sparse else recipe.matrix(values, n)
    make = materialise_sparse if sparse else materialise
    read = {alias: values[alias] for alias in side.aliases}
    with readable_errors(side.label, side.names):
        X, spec = make(_untrained(side, levels or {}), side.names, read, codings, n, env)
    for expression, (_, state) in spec.encoder_state.items():
        if "categories" in state:
            Coding(tuple(state["categories"]), Contrast()).check(restore(expression, side.names))
    names, terms = _labels(spec, side.names)
    return Transform(side, codings, names, terms, spec=spec, env=env), X


def evaluate(code: str, label: str, values: Mapping[str, Any], names: Mapping[str, str], env: Mapping[str, Any]) -> Any:
    """Value of the Python expression `code` over columns by alias."""
    scope = {**namespace(), **env, **{alias: _series(values[alias]) for alias in names if alias in values}}
    with readable_errors(label, names):
        check_sums(code, names, lambda name: holds_truth(scope.get(name)))
        return eval(compile(code, "<formula>", "eval"), scope)


def _untrained(side: Side, levels: Mapping[str, Sequence[Any]]) -> Any:
    from formulaic import ModelSpec
    from formulaic.parser.types import Factor

    known = {code: (Factor.Kind.CATEGORICAL, {"categories": list(found)}) for code, found in levels.items()}
    # Missing rows are gone already; "ignore" keeps formulaic from dropping more.
    return ModelSpec(formula=side.formula, na_action="ignore", output="numpy", encoder_state=known)


def _labels(spec: Any, names: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, slice]]:
    """Names of the columns and slice of each term, with the user's column names."""
    columns: list[str] = []
    terms: dict[str, slice] = {}
    for row in spec.structure:
        start = len(columns)
        columns += [restore(str(column), names) for column in row.columns]
        label = restore(repr(row.term), names)
        if label in terms or (label == "1" and aliases_in(repr(row.term))):
            label = f"`{label}`"  # a column called "1" is not the intercept
        terms[label] = slice(start, len(columns))
    return tuple(columns), terms


@lru_cache(maxsize=128)
def _recipe(side: Side, codings: tuple[tuple[str, Coding, tuple[str, ...]], ...]) -> Recipe:
    """Lay out a plain side on one row; formulaic decides about terms, rank and order."""
    coded = {alias: coding for alias, coding, _ in codings}
    row = {alias: np.zeros(1, dtype=np.intp if alias in coded else float) for alias in side.bare}
    with readable_errors(side.label, side.names):
        _, spec = materialise(_untrained(side, {}), side.names, row, coded, 1, {})
    products = []
    for entry in spec.structure:
        for scoped in entry.scoped_terms:
            parts = [_parts(factor.factor.expr, factor.reduced, coded) for factor in scoped.factors]
            # formulaic, like R, lets the first factor of an interaction vary fastest
            products += [product[::-1] for product in itertools.product(*reversed(parts))]
    names, terms = _labels(spec, side.names)
    return Recipe(side, coded, names, terms, products=tuple(products))


def _parts(alias: str, reduced: bool, codings: Mapping[str, Coding]) -> list[tuple[str, bool, int]]:
    width = len(codings[alias].labels(reduced)) if alias in codings else 1
    return [(alias, reduced, j) for j in range(width)]


def _series(values: Any) -> pd.Series:
    return pd.Series(values, copy=False)
