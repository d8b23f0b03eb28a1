"""Working columns: what sums are taken of, and how the columns of X and Z are made up of them.

A column of a design is a product of coded factors and of numbers. Each number is centred and scaled in the database,
x = mean + deviation x', and the product is multiplied out; so large means never enter a sum of squares. Codings are not
needed in the database at all: sums are grouped by the factors' levels, and the coded numbers multiply the groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from mixedsparse.data.formula.structure import Products

__all__ = ["CONSTANT", "CodedPart", "Number", "Working", "WorkingColumn", "make_working"]

# Columns from which on a matrix of coded factors is kept sparse.
_WIDE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A numeric factor of terms, standardised.

    Attributes
    ----------
    centred, scaled : ibis Value
        (x - shift) / unit, and x / unit.
    mean, deviation : float
        x = mean + deviation * centred = deviation * scaled.
    """

    centred: Any
    scaled: Any
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class CodedPart:
    """Column `j` of the coded factor in the database's column of codes `source`; `coding` tells codings apart."""

    source: str
    coding: tuple[int, str, bool]
    j: int


@dataclass(frozen=True, slots=True)
class WorkingColumn:
    """Product of coded parts and of numbers: (name, whether it is centred)."""

    coded: tuple[CodedPart, ...]
    numbers: tuple[tuple[str, bool], ...]


CONSTANT = WorkingColumn((), ())


@dataclass(eq=False)
class Working:
    """Working columns, in the order in which they are first needed.

    Attributes
    ----------
    columns : dict
        Working column -> position.
    codings : dict
        Numbers (levels, columns) of each coding.
    """

    columns: dict[WorkingColumn, int] = field(default_factory=dict)
    codings: dict[tuple[int, str, bool], np.ndarray] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[str, ...]:
        """Columns of codes that are needed."""
        return tuple(dict.fromkeys(part.source for column in self.columns for part in column.coded))

    def matrix(self, codes: Mapping[Any, np.ndarray], positions: Sequence[int], m: int) -> Any:
        """Coded parts (m, len(positions)) of the working columns at `positions`; sparse where these are many."""
        if len(positions) > _WIDE:
            return self._sparse(codes, positions, m)
        out = np.ones((m, len(positions)))
        for j, value in enumerate(self.values(codes, positions)):
            if value is not None:
                out[:, j] = value
        return out

    def _sparse(self, codes: Mapping[Any, np.ndarray], positions: Sequence[int], m: int) -> Any:
        columns = list(self.columns)
        alike: dict[tuple[tuple[str, tuple[int, str, bool]], ...], list[int]] = {}
        for i, position in enumerate(positions):
            alike.setdefault(tuple((p.source, p.coding) for p in columns[position].coded), []).append(i)
        pieces = []
        for factors, own in alike.items():
            piece = sparse.csr_matrix(np.ones((m, 1))) if not factors else None
            for k, (source, coding) in enumerate(factors):
                chosen = [columns[positions[i]].coded[k].j for i in own]
                part = sparse.csr_matrix(self.codings[coding][:, chosen])[codes[source]]
                piece = part if piece is None else piece.multiply(part).tocsr()
            pieces.append(piece)
        order = np.argsort(np.concatenate(list(alike.values())))
        return sparse.hstack(pieces, format="csc")[:, order].tocsr()

    def values(
        self, codes: Mapping[Any, np.ndarray], positions: Sequence[int] | None = None
    ) -> list[np.ndarray | None]:
        """Coded part (m,) of the working columns (at `positions`) for groups with these codes; None for 1."""
        made: dict[CodedPart, np.ndarray] = {}
        out: list[np.ndarray | None] = []
        columns = list(self.columns)
        for column in columns if positions is None else [columns[i] for i in positions]:
            product: np.ndarray | None = None
            for part in column.coded:
                if part not in made:
                    made[part] = self.codings[part.coding][:, part.j][codes[part.source]]
                product = made[part] if product is None else product * made[part]
            out.append(product)
        return out

    def add(
        self,
        design: int,
        products: Products,
        chosen: Sequence[int],
        sources: Mapping[str, str],
        numbers: Mapping[str, Number],
        centred: bool,
    ) -> list[dict[int, float]]:
        """Add what the `chosen` columns of a design need; returns for each of them {position: coefficient}."""
        for (name, reduced), matrix in products.codings.items():
            self.codings[design, name, reduced] = matrix
        out = []
        for scale, parts in (products.columns[j] for j in chosen):
            coded = tuple(
                CodedPart(sources[name], (design, name, reduced), j)
                for name, reduced, j in parts
                if name in products.levels
            )
            factors = [name for name, _, _ in parts if name not in products.levels]
            out.append(self._expanded(scale, coded, factors, numbers, centred))
        return out

    def _expanded(
        self,
        scale: float,
        coded: tuple[CodedPart, ...],
        factors: Sequence[str],
        numbers: Mapping[str, Number],
        centred: bool,
    ) -> dict[int, float]:
        found: dict[int, float] = {}
        choices = [[(name, True), (name, False)] if centred else [(name, True)] for name in factors]
        for chosen in itertools.product(*choices):
            coefficient = scale
            for name, keep in chosen:
                coefficient *= numbers[name].deviation if keep else numbers[name].mean
            column = WorkingColumn(coded, tuple(sorted((name, centred) for name, keep in chosen if keep)))
            position = self.columns.setdefault(column, len(self.columns))
            found[position] = found.get(position, 0.0) + coefficient
        return found


def make_working(
    designs: Sequence[tuple[Products, Sequence[int] | None]],
    sources: Sequence[Mapping[str, str]],
    numbers: Mapping[str, Number],
    constant: bool,
) -> tuple[Working, list[np.ndarray]]:
    """Working columns of several designs, and the map (u, k) to the columns of each.

    Parameters
    ----------
    designs : sequence of (Products, positions or None)
        Which of the columns are wanted; None for all.
    sources : sequence of mapping
        Column of codes of each coded factor of each design.
    numbers : mapping
    constant : bool
        Whether the first working column is the constant, and numbers are centred in any case. Otherwise they are
        centred where that needs no further columns.
    """
    for centred in (True, False):
        working = Working({CONSTANT: 0} if constant else {})
        rows: list[list[dict[int, float]]] = []
        for i, ((products, chosen), source) in enumerate(zip(designs, sources, strict=True)):
            chosen = range(len(products.columns)) if chosen is None else chosen
            rows.append(working.add(i, products, chosen, source, numbers, centred))
        if constant or len(working.columns) <= sum(map(len, rows)):
            break
    maps = []
    for columns in rows:
        out = np.zeros((len(working.columns), len(columns)))
        for j, found in enumerate(columns):
            for position, coefficient in found.items():
                out[position, j] = coefficient
        maps.append(out)
    return working, maps
