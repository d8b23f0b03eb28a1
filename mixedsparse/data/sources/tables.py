"""The rows of a source with integers for levels and standardised numbers, as a table that the database never stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mixedsparse.data.formula.grouping import Grouping
from mixedsparse.data.sources.aggregation import Coded, as_numpy
from mixedsparse.data.sources.columns import SourceColumns
from mixedsparse.data.sources.working import Number, Working

__all__ = ["code_rows", "combination_codes"]


def code_rows(
    columns: SourceColumns,
    working: Sequence[Working],
    groupings: Sequence[Grouping],
    numbers: Mapping[str, Number],
    weights: Any,
) -> tuple[Coded, list[str]]:
    """Make the table that sums are taken of, and the name of each grouping's column of codes in it."""
    keys = dict.fromkeys(name for one in working for name in one.sources)
    keys |= dict.fromkeys(atom_key(atom, columns) for grouping in groupings for atom in grouping.atoms)
    wanted = dict.fromkeys(number for one in working for column in one.columns for number in column.numbers)
    named = {number: f"number{i}" for i, number in enumerate(wanted)}
    values = {name: _value(numbers, number) for number, name in named.items()}
    if weights is not None:
        values["weight"] = weights
    table = join_codes(columns, list(keys), values)
    names = []
    for i, grouping in enumerate(groupings):
        if grouping.keys is None:
            names.append(atom_key(grouping.atoms[0], columns))
        else:
            names.append(f"group{i}")
            table = _join_combinations(columns, table, grouping, names[-1])
    return Coded(columns.database, table, named, weights is not None, columns.n), names


def atom_key(atom: Any, columns: SourceColumns) -> str:
    """Name of the column of codes of one factor of a grouping."""
    return columns.keys[atom.code]


def join_codes(columns: SourceColumns, keys: Sequence[str], values: Mapping[str, Any]) -> Any:
    """Table of the codes of the factors `keys`, under their keys, and of `values`."""
    import pyarrow as pa

    raw = {f"raw{i}": columns.factors[key].expression for i, key in enumerate(keys)}
    table = columns.table.select(**raw, **values)
    for i, key in enumerate(keys):
        factor = columns.factors[key]
        codes = pa.array(factor.codes.astype(np.int32))
        levels = columns.database.upload(pa.table({f"value{i}": factor.raw, key: codes}))
        table = table.inner_join(levels, table[f"raw{i}"] == levels[f"value{i}"]).drop(f"raw{i}", f"value{i}")
    return table


def combination_codes(columns: SourceColumns, atoms: Sequence[Any]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Codes of the combinations of several factors that occur, by the atoms' code, as `Grouping.fit` takes them."""
    keys = [atom_key(atom, columns) for atom in atoms]
    found = columns.database.read(join_codes(columns, list(dict.fromkeys(keys)), {}).distinct())
    return {
        atom.code: (as_numpy(found, key).astype(np.intp), columns.factors[key].levels)
        for atom, key in zip(atoms, keys, strict=True)
    }


def _join_combinations(columns: SourceColumns, table: Any, grouping: Grouping, name: str) -> Any:
    """Add the codes of a grouping by several factors."""
    import pyarrow as pa

    keys = [atom_key(atom, columns) for atom in grouping.atoms]
    parts = np.unravel_index(grouping.keys, tuple(len(levels) for levels in grouping.atom_levels))
    sides = {f"{name}_{i}": pa.array(part.astype(np.int32)) for i, part in enumerate(parts)}
    levels = columns.database.upload(pa.table({**sides, name: pa.array(np.arange(len(grouping.keys), dtype=np.int32))}))
    matches = [table[key] == levels[side] for key, side in zip(keys, sides, strict=True)]
    return table.inner_join(levels, matches).drop(*sides)


def _value(numbers: Mapping[str, Number], number: tuple[str, bool]) -> Any:
    name, centred = number
    return numbers[name].centred if centred else numbers[name].scaled
