"""All sums of a model, from a source whose formula is read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.choose.memory import check_memory
from mixedsparse.core.problem.sums import Aggregates, PlainSums, constant_column, root_times
from mixedsparse.core.problem.terms import RandomTerm, theta_order
from mixedsparse.data.formula.checks import empty_effect
from mixedsparse.data.formula.grouping import Grouping
from mixedsparse.data.formula.newdata import TermEncoding
from mixedsparse.data.sources.aggregation import CrossSums, LevelSums, PairSums, Together
from mixedsparse.data.sources.coded import COPIES, SQUARES, CodedRows, Sink
from mixedsparse.data.sources.columns import SourceColumns
from mixedsparse.data.sources.levels import has_changed
from mixedsparse.data.sources.sides import EncodedSide
from mixedsparse.data.sources.working import CONSTANT, Number, Working, WorkingColumn, make_working
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["Pieces", "collect", "may_hardly_repeat"]

# Distinct pairs of levels per row beyond which rows are read one by one; memory is at most the inverse of this larger.
_MOST_DISTINCT = 0.5
# Groups up to which pairs of levels are read together with the sums by level.
_FEW = 1_000_000
# Groups that are made in one reading, unless those of one sink are more.
_TOGETHER = 20_000_000
# Bytes below which nobody is asked how much there is, and columns from which on the fixed part counts as wide.
_SMALL, _WIDE = 2.0**26, 50
# Rounding of the mean of numbers whose deviation is 1, and that of their mean before, for each unit of it.
_STILL, _ROUNDING = 1e-9, 1e-11


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


def collect(pieces: Pieces, limits: Limits = LIMITS) -> tuple[Aggregates, PlainSums]:
    """Take the sums, with weights and without."""
    order = theta_order(pieces.terms)
    blocks = _make_blocks(pieces, order)
    fixed, (fixed_map,) = make_working([(pieces.fixed.products, None)], [pieces.fixed.sources], pieces.numbers, True)
    fixed.columns[WorkingColumn((), ((pieces.response, True),))] = len(fixed.columns)
    B = np.zeros((len(fixed.columns), fixed_map.shape[1] + 1))
    B[:-1, :-1] = fixed_map
    B[0, -1], B[-1, -1] = pieces.numbers[pieces.response].mean, pieces.numbers[pieces.response].deviation
    rows = CodedRows(pieces.columns, blocks.groupings, pieces.numbers, pieces.weights)
    _check_room(rows, fixed, blocks, limits)
    taken = _take(rows, fixed, blocks, limits)
    products, plain = taken.without_weights()
    _check_still(pieces, fixed, blocks, taken, products)
    terms = tuple(pieces.terms[i] for i in order)
    grams = tuple(one.found[1] for one in taken.levels)
    _check_effects(terms, blocks, grams)
    found = Aggregates(
        n=pieces.columns.n,
        terms=terms,
        order=tuple(order),
        owner=blocks.owner,
        maps=blocks.maps,
        products=taken.products.found,
        columns=B,
        intercept=constant_column(B),
        grams=grams,
        sums=tuple(one.found[0] for one in taken.levels),
        pairs={key: one.pairs() for key, one in taken.pairs.items()},
        sum_log_weights=pieces.sum_log_weights,
    )
    return found, _plain_sums(products, plain, found)


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """Sums of the fixed working columns, of each block, and of pairs of blocks; without weights where there are any."""

    products: CrossSums
    levels: list[LevelSums]
    plain: list[CrossSums]
    pairs: dict[tuple[int, int], PairSums]

    def without_weights(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """Cross-products of the fixed working columns and of those of each block."""
        if self.plain:
            *others, of_fixed = self.plain
            return of_fixed.found, [one.found for one in others]
        return self.products.found, [one.found[1].sum(axis=0) for one in self.levels]


def _check_room(rows: CodedRows, fixed: Working, blocks: _Blocks, limits: Limits) -> None:
    """Refuse sums that do not fit into memory, from the numbers of levels, before any is taken.

    Raises
    ------
    BackendError
        The message has the number, and the mend.
    """
    u = len(fixed.columns)
    levels = {b: len(grouping.levels) * len(blocks.working[b].columns) for b, grouping in enumerate(blocks.groupings)}
    widths = [len(working.columns) for working in blocks.working]
    by_level = sum(COPIES * size * (u + width) for size, width in zip(levels.values(), widths, strict=True))
    by_pair = 0.0
    for s, t in itertools.combinations(levels, 2):
        count = rows.columns.distinct.get(frozenset(rows.keys((s, t))), rows.size((s, t)))
        count = count if _repeats(rows, (s, t)) else rows.n
        single = _are_single(rows, blocks.working, (s, t))
        arrays = [8.0 * count, *([] if single else COPIES * [8.0 * count * widths[s] * widths[t]])]
        by_pair += sum(size for size in arrays if size <= limits.mapped)
    needed = 8.0 * (SQUARES * u**2 + by_level) + by_pair
    if needed < _SMALL:
        return
    largest = blocks.groupings[max(levels, key=levels.__getitem__)].name
    mend = f"leave a term out, or fit a sample of the levels of {largest!r}"
    if u > _WIDE:
        mend = f"the fixed part has {u - 1:,} columns: make its widest factor random, as in '(1 | factor)'"
    check_memory(needed, f"The sums over {rows.n:,} rows by the levels of {largest!r} and others", mend)


def _take(rows: CodedRows, fixed: Working, blocks: _Blocks, limits: Limits) -> _Taken:
    """Take the sums: those by level in one reading, those by pairs of levels too where they are few."""
    working, sizes = blocks.working, [len(grouping.levels) for grouping in blocks.groupings]
    weighted = rows.weights is not None
    last = len(sizes) - 1
    levels = [LevelSums(b, size, working[b], [fixed, working[b]]) for b, size in enumerate(sizes)]
    products = CrossSums(fixed, last, weighted)
    plain = [CrossSums(one, b, False) for b, one in enumerate(working)] if weighted else []
    plain += [CrossSums(fixed, last, False)] if weighted else []
    both: list[list[CrossSums | LevelSums]] = [[one, *plain[b : b + 1]] for b, one in enumerate(levels)]
    both[last] += [products, *plain[last + 1 :]]
    keys = list(itertools.combinations(range(len(sizes)), 2))
    alone = [key for key in keys if rows.size(key, _sources(working, key)) > _FEW or not _repeats(rows, key)]

    def pair_sums(key: tuple[int, int], room: np.ndarray | int) -> PairSums:
        s, t = key
        both, single = (working[s], working[t]), _are_single(rows, working, key)
        return PairSums(key, (sizes[s], sizes[t]), both, room, single, limits.mapped)

    pairs = {key: pair_sums(key, rows.size(key, _sources(working, key))) for key in keys if key not in alone}
    for sinks in _portions(rows, [*(Together(one) for one in both), *pairs.values()]):
        rows.read(sinks)
    for key in alone:
        # The rows of each level, which are known now, are the most pairs that it has.
        pairs[key] = pair_sums(key, levels[key[0]].counts[key[0]])
        rows.read([pairs[key]], _repeats(rows, key))
    return _Taken(products, levels, plain, {key: pairs[key] for key in keys})


def _sources(working: Sequence[Working], key: tuple[int, int]) -> tuple[str, ...]:
    """Keys of the factors whose levels both working columns need."""
    return (*working[key[0]].sources, *working[key[1]].sources)


def _portions(rows: CodedRows, sinks: Sequence[Sink]) -> Iterator[list[Sink]]:
    """Share out sinks so that the groups of those that are read together fit into the memory of a database."""
    portion: list[Sink] = []
    groups = 0
    for sink in sinks:
        size = rows.size(sink.blocks, sink.sources)
        if portion and groups + size > _TOGETHER:
            yield portion
            portion, groups = [], 0
        portion.append(sink)
        groups += size
    yield portion


def may_hardly_repeat(pairs: int, n: int) -> bool:
    """Whether `n` rows may hold so many different ones of all `pairs` of levels that it matters how they are read."""
    return min(pairs, n) > _FEW and pairs > _MOST_DISTINCT * n


def _repeats(rows: CodedRows, blocks: tuple[int, int]) -> bool:
    """Whether pairs of levels repeat so often that it pays to group them in the database.

    Grouping pairs that hardly repeat takes three times as long as sorting them here, and no less memory. A database
    that is not in this process groups in any case: fewer rows have to travel.
    """
    if not rows.columns.database.is_local:
        return True
    pairs = rows.columns.distinct.get(frozenset(rows.keys(blocks)))
    return pairs is None or pairs < _MOST_DISTINCT * rows.n


def _are_single(rows: CodedRows, working: Sequence[Working], key: tuple[int, int]) -> bool:
    """Whether pairs of levels are read row by row, and each row has a single 1."""
    alike = all([*working[b].columns] == [CONSTANT] for b in key)
    return alike and rows.weights is None and not _repeats(rows, key)


def _plain_sums(products: np.ndarray, grams: Sequence[np.ndarray], found: Aggregates) -> PlainSums:
    moments = {
        place: columns.T @ grams[b] @ columns / found.n
        for place, b, columns in zip(found.order, found.owner, found.maps, strict=True)
    }
    return PlainSums(root_times(products, found.columns[:, :-1]), tuple(moments[i] for i in range(len(moments))))


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


def _check_still(pieces: Pieces, fixed: Working, blocks: _Blocks, taken: _Taken, products: np.ndarray) -> None:
    """Refuse sums that are not of the rows that levels and moments are of.

    The number of rows of each level is known, and the sum of each standardised number: 0.
    """
    n = pieces.columns.n
    if products[0, 0] != n:
        raise has_changed(f"had {n:,} complete rows at first and {products[0, 0]:,.0f} later")
    known = [one.counts[b] for b, one in enumerate(taken.levels)]
    for b, grouping in enumerate(blocks.groupings):
        if grouping.keys is None:
            known[b] = pieces.columns.factors[pieces.columns.keys_of(grouping.atoms)[0]].counts
    for sums in (*taken.levels, *taken.pairs.values()):
        if any((known[b] != counts).any() for b, counts in sums.counts.items()):
            raise has_changed("has levels of other sizes than at first")
    for column, position in fixed.columns.items():
        if column.coded or len(column.numbers) != 1:
            continue
        number = pieces.numbers[column.numbers[0][0]]
        if abs(products[0, position]) > n * (_STILL + _ROUNDING * abs(number.mean / number.deviation)):
            raise has_changed("has other numbers than at first")


def _check_effects(terms: Sequence[RandomTerm], blocks: _Blocks, grams: Sequence[np.ndarray]) -> None:
    """Refuse an effect that is zero in all rows."""
    for term, b, columns in zip(terms, blocks.owner, blocks.maps, strict=True):
        size = np.einsum("uk,uv,vk->k", columns, grams[b].sum(axis=0), columns)
        empty = np.flatnonzero(size <= 0)
        if len(empty):
            raise empty_effect(term, int(empty[0]))
