"""All sums of a model, from a source whose formula is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.problem.crossproducts import Pairs
from mixedsparse.core.problem.sums import Aggregates, PlainSums, constant_column, root_of
from mixedsparse.core.problem.terms import RandomTerm, theta_order
from mixedsparse.data.formula.checks import empty_effect
from mixedsparse.data.formula.grouping import Grouping
from mixedsparse.data.formula.newdata import TermEncoding
from mixedsparse.data.sources.aggregation import Coded, cross_sums, level_sums, pair_sums
from mixedsparse.data.sources.columns import SourceColumns
from mixedsparse.data.sources.sides import EncodedSide
from mixedsparse.data.sources.tables import code_rows
from mixedsparse.data.sources.working import Number, Working, WorkingColumn, make_working
from mixedsparse.ground.errors import DataError

__all__ = ["Pieces", "collect"]


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A formula that was read on a source.

    Attributes
    ----------
    columns : SourceColumns
    fixed : EncodedSide
    terms : tuple of RandomTerm
        In formula order, as the next two.
    encodings : tuple of TermEncoding
    sides : tuple of EncodedSide
    numbers : dict
        Numeric factors, and the response less its offset.
    response : str
        Name of the latter.
    weights : ibis Value or None
    sum_log_weights : float or None
    """

    columns: SourceColumns
    fixed: EncodedSide
    terms: tuple[RandomTerm, ...]
    encodings: tuple[TermEncoding, ...]
    sides: tuple[EncodedSide, ...]
    numbers: Mapping[str, Number]
    response: str
    weights: Any
    sum_log_weights: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """Terms by grouping factor: block of each term, and grouping, working columns and maps of each block."""

    owner: tuple[int, ...]
    groupings: tuple[Grouping, ...]
    working: tuple[Working, ...]
    maps: tuple[np.ndarray, ...]


def collect(pieces: Pieces) -> tuple[Aggregates, PlainSums]:
    """Take the sums, with weights and without."""
    order = theta_order(pieces.terms)
    blocks = _make_blocks(pieces, order)
    fixed, (fixed_map,) = make_working([(pieces.fixed.products, None)], [pieces.fixed.sources], pieces.numbers, True)
    fixed.columns[WorkingColumn((), ((pieces.response, True),))] = len(fixed.columns)
    B = np.zeros((len(fixed.columns), fixed_map.shape[1] + 1))
    B[:-1, :-1] = fixed_map
    B[0, -1], B[-1, -1] = pieces.numbers[pieces.response].mean, pieces.numbers[pieces.response].deviation
    coded, names = code_rows(pieces.columns, [fixed, *blocks.working], blocks.groupings, pieces.numbers, pieces.weights)
    products = cross_sums(coded, fixed, names[-1], coded.weighted)
    levels = [len(grouping.levels) for grouping in blocks.groupings]
    both = [
        level_sums(coded, name, size, left, [fixed, left])
        for name, size, left in zip(names, levels, blocks.working, strict=True)
    ]
    terms = tuple(pieces.terms[i] for i in order)
    grams = tuple(gram for _, gram in both)
    _check_effects(terms, blocks, grams)
    found = Aggregates(
        n=pieces.columns.n,
        terms=terms,
        order=tuple(order),
        owner=blocks.owner,
        maps=blocks.maps,
        products=products,
        columns=B,
        intercept=constant_column(B),
        grams=grams,
        sums=tuple(sums for sums, _ in both),
        pairs=_pairs(coded, names, levels, blocks.working),
        sum_log_weights=pieces.sum_log_weights,
    )
    return found, _plain_sums(coded, found, fixed, blocks.working, names)


def _plain_sums(
    coded: Coded, found: Aggregates, fixed: Working, working: Sequence[Working], names: Sequence[str]
) -> PlainSums:
    """Return sums without weights: those that there are where rows have none.

    The first of them counts the rows, which tells whether the source was still when they were read one after another.
    """
    products, grams = found.products, [gram.sum(axis=0) for gram in found.grams]
    if coded.weighted:
        products = cross_sums(coded, fixed, names[-1], False)
        grams = [cross_sums(coded, one, name, False) for one, name in zip(working, names, strict=True)]
    if products[0, 0] != found.n:
        raise DataError(
            f"The source had {found.n:,} complete rows at first and {products[0, 0]:,.0f} later: something "
            "writes to it. Fit again when it is still, or fit a copy of it."
        )
    moments = {
        place: columns.T @ grams[b] @ columns / found.n
        for place, b, columns in zip(found.order, found.owner, found.maps, strict=True)
    }
    return PlainSums(root_of(products) @ found.columns[:, :-1], tuple(moments[i] for i in range(len(moments))))


def _pairs(
    coded: Coded, names: Sequence[str], levels: Sequence[int], working: Sequence[Working]
) -> dict[tuple[int, int], Pairs]:
    return {
        (s, t): pair_sums(coded, (names[s], names[t]), (levels[s], levels[t]), working[s], working[t])
        for s in range(len(names))
        for t in range(s + 1, len(names))
    }


def _make_blocks(pieces: Pieces, order: Sequence[int]) -> _Blocks:
    """Put terms, in theta order, with the same grouping factor into one block."""
    owner: list[int] = []
    groupings: dict[tuple[str, ...], Grouping] = {}
    for i in order:
        grouping = pieces.encodings[i].grouping
        key = tuple(atom.code for atom in grouping.atoms)
        groupings.setdefault(key, grouping)
        owner.append(list(groupings).index(key))
    maps: list[np.ndarray] = [np.empty(0)] * len(order)
    working = []
    for b in range(len(groupings)):
        mine = [t for t, block in enumerate(owner) if block == b]
        designs = [(pieces.sides[order[t]].products, pieces.encodings[order[t]].column) for t in mine]
        chosen = [(products, None if j is None else [j]) for products, j in designs]
        found, mapped = make_working(chosen, [pieces.sides[order[t]].sources for t in mine], pieces.numbers, False)
        working.append(found)
        for t, one in zip(mine, mapped, strict=True):
            maps[t] = one
    return _Blocks(tuple(owner), tuple(groupings.values()), tuple(working), tuple(maps))


def _check_effects(terms: Sequence[RandomTerm], blocks: _Blocks, grams: Sequence[np.ndarray]) -> None:
    """Refuse an effect that is zero in all rows."""
    for term, b, columns in zip(terms, blocks.owner, blocks.maps, strict=True):
        size = np.einsum("uk,uv,vk->k", columns, grams[b].sum(axis=0), columns)
        empty = np.flatnonzero(size <= 0)
        if len(empty):
            raise empty_effect(term, int(empty[0]))
