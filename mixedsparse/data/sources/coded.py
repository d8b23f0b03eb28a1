"""The rows of a source, grouped there and coded here: levels become integers only once they have left the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mixedsparse.data.formula.grouping import Grouping
from mixedsparse.data.sources.columns import SourceColumns
from mixedsparse.data.sources.working import Number

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COPIES", "SQUARES", "CodedRows", "Product", "Sink", "as_numpy"]

# Arrays of sums that are held at once, and of the cross-products of the fixed part.
COPIES, SQUARES = 3, 10


@dataclass(frozen=True, slots=True)
class Product:
    """Product of numbers, (name, whether it is centred), and of the weights if it is `weighted`."""

    numbers: tuple[tuple[str, bool], ...]
    weighted: bool

    def __mul__(self, other: Product) -> Product:
        return Product(tuple(sorted((*self.numbers, *other.numbers))), self.weighted or other.weighted)


class Sink(Protocol):
    """Takes up groups of rows.

    Attributes
    ----------
    blocks : tuple of int
        Grouping factors whose levels it needs, by their position.
    sources : tuple of str
        Keys of the factors whose levels it needs beside these.
    products : list of Product
        What is summed over the rows of a group.
    """

    blocks: tuple[int, ...]
    sources: tuple[str, ...]
    products: Sequence[Product]

    def add(self, codes: Mapping[int | str, np.ndarray], sums: Mapping[Product, np.ndarray]) -> None:
        """Take up a batch of groups: codes by block and by source, and the sums."""
        ...


class CodedRows:
    """The complete rows of a source.

    Parameters
    ----------
    columns : SourceColumns
    groupings : sequence of Grouping
    numbers : Mapping
    weights : ibis Value or None
    """

    def __init__(
        self, columns: SourceColumns, groupings: Sequence[Grouping], numbers: Mapping[str, Number], weights: Any
    ) -> None:
        self.columns, self.groupings, self.numbers, self.weights = columns, groupings, numbers, weights

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.columns.n

    def keys(self, blocks: Sequence[int], sources: Sequence[str] = ()) -> list[str]:
        """Keys of the factors that tell levels of grouping factors and of other factors."""
        atoms = [key for b in blocks for key in self.columns.keys_of(self.groupings[b].atoms)]
        return list(dict.fromkeys([*atoms, *sources]))

    def size(self, blocks: Sequence[int], sources: Sequence[str] = ()) -> int:
        """Return the most groups that there can be."""
        size = 1
        for b in blocks:
            size *= len(self.groupings[b].levels)
        atoms = self.keys(blocks)
        for key in sources:
            size *= 1 if key in atoms else len(self.columns.factors[key].levels)
        return min(size, self.n)

    def read(self, sinks: Sequence[Sink], grouped: bool = True) -> None:
        """Give every sink its groups, those of all sinks in one reading; or single rows, if not `grouped`."""
        keys = [self.keys(sink.blocks, sink.sources) for sink in sinks]
        used = {key: f"key{i}" for i, key in enumerate(dict.fromkeys(key for own in keys for key in own))}
        products = dict.fromkeys(product for sink in sinks for product in sink.products)
        summed = {f"s{i}": value for i, p in enumerate(products) if (value := self._value(p)) is not None}
        named = {product: f"s{i}" for i, product in enumerate(products)}
        factors = self.columns.factors
        table = self.columns.table.select(**{name: factors[key].expression for key, name in used.items()}, **summed)
        for i, batch in self._groups(table, [[used[key] for key in own] for own in keys], list(summed), grouped):
            found = {key: factors[key].codes_of(_column(batch, used[key])) for key in keys[i]}
            codes: dict[int | str, np.ndarray] = {key: found[key] for key in sinks[i].sources}
            codes |= {b: self._block_codes(b, found) for b in sinks[i].blocks}
            rows = as_numpy(batch, "rows") if grouped else np.ones(batch.num_rows, dtype=np.int32)
            sinks[i].add(
                codes, {p: as_numpy(batch, named[p]) if named[p] in summed else rows for p in sinks[i].products}
            )

    def _groups(
        self, table: Any, sets: Sequence[Sequence[str]], summed: Sequence[str], grouped: bool
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        if grouped:
            yield from self.columns.database.grouped(table, sets, summed)
            return
        for i in range(len(sets)):
            for batch in self.columns.database.batches(table):
                yield i, batch

    def _block_codes(self, block: int, found: Mapping[str, np.ndarray]) -> np.ndarray:
        """Codes of a grouping factor from those of its factors."""
        grouping = self.groupings[block]
        codes = [found[key] for key in self.keys([block])]
        if grouping.keys is None:
            return codes[0]
        sizes = tuple(len(levels) for levels in grouping.atom_levels)
        place = np.searchsorted(grouping.keys, np.ravel_multi_index(codes, sizes))
        return np.minimum(place, len(grouping.keys) - 1).astype(np.int32)

    def _value(self, product: Product) -> Any:
        """Ibis value of a product; None for 1."""
        factors = [
            self.numbers[name].centred if centred else self.numbers[name].scaled for name, centred in product.numbers
        ]
        if product.weighted and self.weights is not None:
            factors.append(self.weights)
        out = None
        for factor in factors:
            out = factor if out is None else out * factor
        return out


def _column(batch: pa.RecordBatch, name: str) -> Any:
    return batch.column(batch.schema.get_field_index(name))


def as_numpy(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Column of a batch."""
    return _column(batch, name).to_numpy(zero_copy_only=False)
