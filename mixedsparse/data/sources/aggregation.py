"""Sums over the rows of a database, grouped there and added up here batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.crossproducts import Pairs, sorted_pairs
from mixedsparse.data.sources.database import Database
from mixedsparse.data.sources.working import CONSTANT, Working

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Coded", "cross_sums", "level_sums", "pair_sums"]

Numbers = tuple[tuple[str, bool], ...]
# Distinct pairs of levels per row beyond which rows are read one by one; memory is at most the inverse of this larger.
_MOST_DISTINCT = 0.5


@dataclass(frozen=True, eq=False)
class Coded:
    """Rows as codes and standardised numbers, in the database.

    Attributes
    ----------
    database : Database
    table : ibis Table
        Columns of codes under their names, numbers as `numbers` calls them, ``weight``.
    numbers : dict
        Column of each number: (name, centred) -> column.
    weighted : bool
    n : int
        Number of rows.
    """

    database: Database
    table: Any
    numbers: Mapping[tuple[str, bool], str]
    weighted: bool
    n: int

    def groups(
        self, keys: Sequence[str], products: Sequence[Numbers], weighted: bool, grouped: bool = True
    ) -> Iterator[tuple[dict[str, np.ndarray], dict[Numbers, np.ndarray]]]:
        """Batches of groups of rows with equal `keys`: codes, and sums of products; single rows if not `grouped`."""
        summands = {f"s{i}": self._product(product, weighted) for i, product in enumerate(products)}
        if grouped:
            made = {name: self.table.count() if value is None else value.sum() for name, value in summands.items()}
            expression = self.table.group_by(list(keys)).aggregate(**made) if keys else self.table.aggregate(**made)
        else:
            made = {name: value for name, value in summands.items() if value is not None}
            expression = self.table.select(*keys, **made)
        for batch in self.database.batches(expression):
            codes = {key: as_numpy(batch, key) for key in keys}
            yield (
                codes,
                {
                    product: as_numpy(batch, name) if name in made else np.ones(batch.num_rows, dtype=np.int32)
                    for product, name in zip(products, summands, strict=True)
                },
            )

    def _product(self, numbers: Numbers, weighted: bool) -> Any:
        """Product of a row's weight and `numbers`; None for 1."""
        factors = [self.table[self.numbers[number]] for number in numbers]
        if weighted:
            factors.append(self.table["weight"])
        out = None
        for factor in factors:
            out = factor if out is None else out * factor
        return out


def as_numpy(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """Column of a batch."""
    return batch.column(batch.schema.get_field_index(name)).to_numpy(zero_copy_only=False)


def _times(a: Numbers, b: Numbers) -> Numbers:
    return tuple(sorted((*a, *b)))


def _by_numbers(working: Working) -> dict[Numbers, list[int]]:
    """Positions of the working columns that have the same numbers."""
    out: dict[Numbers, list[int]] = {}
    for column, position in working.columns.items():
        out.setdefault(column.numbers, []).append(position)
    return out


def _matrix(values: Sequence[np.ndarray | None], positions: Sequence[int], m: int) -> np.ndarray:
    """Coded parts (m, len(positions))."""
    out = np.ones((m, len(positions)))
    for j, position in enumerate(positions):
        value = values[position]
        if value is not None:
            out[:, j] = value
    return out


def _needed(*pairs: tuple[Working, Working]) -> list[Numbers]:
    """Products of numbers that cross-products of these working columns need."""
    return list(
        dict.fromkeys(_times(a, b) for left, right in pairs for a in _by_numbers(left) for b in _by_numbers(right))
    )


def cross_sums(coded: Coded, working: Working, split: str | None, weighted: bool) -> np.ndarray:
    """U'U (u, u).

    Rows are grouped by the codes `split` too: few large sums would lose digits that many small ones keep.
    """
    out = np.zeros((len(working.columns), len(working.columns)))
    keys = dict.fromkeys([*working.sources, *([split] if split else [])])
    parts = list(_by_numbers(working).items())
    for codes, sums in coded.groups(list(keys), _needed((working, working)), weighted):
        values = working.values(codes)
        m = len(next(iter(sums.values())))
        matrices = [_matrix(values, positions, m) for _, positions in parts]
        for i, (a, rows) in enumerate(parts):
            for (b, columns), right in zip(parts[: i + 1], matrices, strict=False):
                found = (matrices[i] * sums[_times(a, b)][:, None]).T @ right
                out[np.ix_(rows, columns)] += found
                if a != b:
                    out[np.ix_(columns, rows)] += found.T
    return out


def level_sums(coded: Coded, block: str, n_levels: int, left: Working, rights: Sequence[Working]) -> list[np.ndarray]:
    """Z_l'U of each level l of `block`, (levels, U_b, u), for the working columns `left` and each of `rights`."""
    outs = [np.zeros((n_levels, len(left.columns), len(right.columns))) for right in rights]
    keys = dict.fromkeys([block, *left.sources, *(name for right in rights for name in right.sources)])
    needed = _needed(*((left, right) for right in rights))
    for codes, sums in coded.groups(list(keys), needed, coded.weighted):
        level, values = codes[block], left.values(codes)
        m = len(level)
        for out, right in zip(outs, rights, strict=True):
            coded_parts = right.values(codes)
            matrices = [(b, columns, _matrix(coded_parts, columns, m)) for b, columns in _by_numbers(right).items()]
            for column, row in left.columns.items():
                for b, columns, matrix in matrices:
                    weight = sums[_times(column.numbers, b)].astype(float, copy=False)
                    weight = weight if values[row] is None else weight * values[row]
                    onehot = sparse.csr_matrix((weight, level, np.arange(m + 1)), shape=(m, n_levels))
                    out[:, row, columns] += onehot.T @ matrix
    return outs


def pair_sums(coded: Coded, blocks: tuple[str, str], n_levels: tuple[int, int], left: Working, right: Working) -> Pairs:
    """Z_l'Z_k of each pair of levels of two blocks that occurs."""
    grouped = _repeats(coded, blocks, n_levels)
    # Address space for as many groups as there are rows; memory is taken as it is filled.
    rows, columns = (np.empty(coded.n, dtype=np.int32) for _ in blocks)
    plain = not coded.weighted and [*left.columns, *right.columns] == [CONSTANT, CONSTANT]
    data = np.empty((coded.n, len(left.columns), len(right.columns)), dtype=np.int32 if plain else np.float64)
    keys = list(dict.fromkeys([*blocks, *left.sources, *right.sources]))
    end = 0
    for codes, sums in coded.groups(keys, _needed((left, right)), coded.weighted, grouped):
        start, end = end, end + len(codes[blocks[0]])
        rows[start:end], columns[start:end] = codes[blocks[0]], codes[blocks[1]]
        lefts, rights = left.values(codes), right.values(codes)
        for a, i in left.columns.items():
            for b, j in right.columns.items():
                data[start:end, i, j] = sums[_times(a.numbers, b.numbers)]
                for value in (lefts[i], rights[j]):
                    if value is not None:
                        data[start:end, i, j] *= value
    return sorted_pairs(rows[:end], columns[:end], data[:end], *n_levels)


def _repeats(coded: Coded, blocks: tuple[str, str], n_levels: tuple[int, int]) -> bool:
    """Whether pairs of levels repeat so often that it pays to group them in the database.

    Grouping pairs that hardly repeat takes three times as long as sorting them here, and no less memory. A database
    that is not in this process groups in any case: fewer rows have to travel.
    """
    most = _MOST_DISTINCT * coded.n
    if not coded.database.is_local or n_levels[0] * n_levels[1] < most:
        return True
    key = coded.table[blocks[0]].cast("int64") * n_levels[1] + coded.table[blocks[1]]
    found = coded.database.read(coded.table.aggregate(pairs=key.approx_nunique()))
    return int(found["pairs"][0].as_py()) < most
