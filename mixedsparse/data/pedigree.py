"""Pedigrees: three columns, animal, sire and dam, to the relationships among all animals in them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.pedigree import PedigreeRelationship, generations, inbreeding
from mixedsparse.data.formula.frames import missing_rows, natural, open_table, take
from mixedsparse.data.formula.kinds import Sort, sort_of
from mixedsparse.data.formula.levels import factorise
from mixedsparse.data.formula.unions import union_of_levels
from mixedsparse.ground.errors import DataError

__all__ = ["Pedigree"]

# What pedigrees call their columns.
_NAMES = (
    ("animal", "id", "individual", "label", "ind"),
    ("sire", "father", "dad", "pat", "father_id"),
    ("dam", "mother", "mum", "mom", "mat", "mother_id"),
)
# What stands for an unknown parent beside missing values.
_UNKNOWN = ("", "0", "NA", ".", "*")
# Animals up to which the loop over ancestors is not compiled.
_FEW = 300
# Names that a message lists.
_SHOWN = 5


class Pedigree:
    """Who descends from whom, and the additive relationships that follow, with inbreeding.

    Parameters
    ----------
    frame : data frame
        Three columns: animal, sire and dam, found by these names (or ``id``, ``father``, ``mother`` and the like), else
        in this order. In any order of rows; parents without a row of their own are added as founders. A missing
        value, ``0``, ``"0"``, ``""``, ``"NA"``, ``"."`` or ``"*"`` is an unknown parent.

    Attributes
    ----------
    levels : ndarray
        All animals, parents before their offspring.
    inbreeding : Series
        Coefficient F of each animal.

    Raises
    ------
    DataError
        An animal has two rows, or descends from itself.

    Notes
    -----
    A^-1 by Henderson's (1976) rules with the inbreeding coefficients of Meuwissen & Luo (1992): sparse, whatever the
    size of the pedigree. Animals without records cost little, and belong in it: they carry the relationships.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> pedigree = ms.Pedigree({"animal": ["c", "d"], "sire": ["a", "c"], "dam": ["b", "b"]})
    >>> pedigree.levels.tolist(), float(pedigree.inbreeding["d"])
    (['a', 'b', 'c', 'd'], 0.25)
    """

    def __init__(self, frame: Any) -> None:
        columns = _columns(frame)
        (animal, sire, dam), levels = _coded(columns)
        labels = np.asarray(levels, dtype=object)
        twice = np.flatnonzero(np.bincount(animal, minlength=len(levels)) > 1)
        if len(twice):
            raise DataError(f"The pedigree has several rows of {_listed(labels[twice])}: keep one of each animal.")
        parents = np.full((2, len(levels)), -1)
        parents[0, animal], parents[1, animal] = sire, dam
        depth = generations(*parents)
        if (depth < 0).any():
            circle = _circle(parents, depth)
            names = [repr(str(labels[i])) for i in [*circle, circle[0]]]
            line = ", ".join(f"{one} from {other}" for one, other in pairwise(names))
            raise DataError(f"The pedigree goes in a circle ({line}): correct a parent of one of these animals.")
        order = np.argsort(depth, kind="stable")
        place = np.empty(len(order) + 1, dtype=np.intp)
        place[order], place[-1] = np.arange(len(order)), -1
        self._sire, self._dam = place[parents[0, order]], place[parents[1, order]]
        self.levels: np.ndarray = np.asarray(levels)[order]
        self._F = _coefficients(self._sire, self._dam)

    @property
    def inbreeding(self) -> pd.Series:
        """Inbreeding coefficient of each animal."""
        return pd.Series(self._F, index=pd.Index(self.levels, name="animal"), name="inbreeding")

    def relationship(self, name: str = "") -> PedigreeRelationship:
        """Return A among `levels`; errors call it `name`."""
        return PedigreeRelationship(self._sire, self._dam, self._F, name)

    def __len__(self) -> int:
        """Count the animals."""
        return len(self.levels)

    def __repr__(self) -> str:
        """Show the numbers of animals and founders."""
        founders = int(((self._sire < 0) & (self._dam < 0)).sum())
        return f"Pedigree({len(self)} animals, {founders} founders)"


def _columns(frame: Any) -> list[tuple[str, Any]]:
    """Names and values of the three columns."""
    table = open_table(frame)
    by_name = {name.casefold(): name for name in table.names}
    found = [next((by_name[n] for n in names if n in by_name), None) for names in _NAMES]
    if None in found:
        if len(table.names) < 3:
            raise DataError(f"A pedigree has three columns, animal, sire and dam, and this has {len(table.names)}.")
        found = list(table.names)[:3]
    return [(str(name), table.column(str(name))) for name in found]


def _coded(columns: list[tuple[str, Any]]) -> tuple[list[np.ndarray], np.ndarray]:
    """Codes (n,) of animal, sire and dam among all animals, -1 for an unknown parent; and these."""
    present, plain = [], []
    for name, values in columns:
        gone = missing_rows(values)
        keep = np.ones(len(values), dtype=bool) if gone is None else ~gone
        known = natural(take(values, keep), labels=True)
        if name != columns[0][0]:
            named = ~np.isin(np.asarray(known).astype(str), _UNKNOWN)
            keep[np.flatnonzero(keep)[~named]] = False
            known = natural(known[named], labels=True)
        elif not keep.all():
            raise DataError(f"The column {name!r} of the pedigree is missing in {int((~keep).sum())} rows.")
        present.append(keep)
        plain.append((factorise(known, name), name))
    told = [(found, name) for found, name in plain if len(found[1])]
    # Numbers beside text, as where one column was read as such: all go by their names.
    if len({sort_of(np.asarray(levels)) for (_, levels), _ in told} - {Sort.NUMBERS}) and len(told) > 1:
        told = [((codes, np.array([str(v) for v in levels], dtype=object)), name) for (codes, levels), name in told]
    codes, levels = union_of_levels([found for found, _ in told], [name for _, name in told])
    found_codes = dict(zip((name for _, name in told), codes, strict=True))
    out = []
    for (name, _), keep in zip(columns, present, strict=True):
        every = np.full(len(keep), -1)
        if name in found_codes:
            every[keep] = found_codes[name]
        out.append(every)
    return out, levels


def _circle(parents: np.ndarray, depth: np.ndarray) -> list[int]:
    """Animals each of which descends from the next, the last from the first."""
    at, line = int(np.flatnonzero(depth < 0)[0]), []
    while at not in line:
        line.append(at)
        at = next(int(p) for p in parents[:, at] if p >= 0 and depth[p] < 0)
    return line[line.index(at) :]


def _coefficients(sire: np.ndarray, dam: np.ndarray) -> np.ndarray:
    if len(sire) <= _FEW:
        return inbreeding(sire, dam)
    from mixedsparse.core.engines.kernels.pedigree import compiled_trace

    return inbreeding(sire, dam, compiled_trace)


def _listed(labels: np.ndarray) -> str:
    more = ", ..." if len(labels) > _SHOWN else ""
    return ", ".join(repr(str(label)) for label in labels[:_SHOWN]) + more
