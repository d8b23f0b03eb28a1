"""Random-effects terms of a formula as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.contrasts import Coding
from mixedsparse.data.formula.encoders import Encoder, fit_encoder
from mixedsparse.data.formula.grouping import Atom, Grouping
from mixedsparse.data.formula.newdata import TermEncoding
from mixedsparse.data.formula.ordered import fit_ordered, structure_of
from mixedsparse.data.formula.parse import ParsedFormula

__all__ = ["column_terms", "random_terms", "with_columns"]


def random_terms(
    parsed: ParsedFormula, columns: Columns, values: Mapping[str, Any], codings: Mapping[str, Coding]
) -> tuple[tuple[RandomTerm, ...], tuple[TermEncoding, ...]]:
    """All random-effects terms in formula order, checked, and how to repeat them."""
    sides: dict[tuple[int, bool], tuple[Encoder, np.ndarray]] = {}
    factors: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    groupings: dict[tuple[Atom, ...], tuple[Grouping, np.ndarray]] = {}
    terms, encodings = [], []
    for bar in parsed.bars:
        ordered = bar.kind is not None and bar.kind.takes_order
        key = id(bar.effects), ordered
        if key not in sides:
            made = fit_ordered(bar, values, codings, columns) if ordered else None
            sides[key] = made or fit_encoder(bar.effects, values, codings, columns.n, columns.env)
        encoder, matrix = sides[key]
        structure = structure_of(bar, encoder)
        checks.check_finite(matrix, encoder.names)
        for atoms in bar.groups:
            if atoms not in groupings:
                for atom in atoms:
                    if atom.code not in factors:
                        factors[atom.code] = columns.factor(atom.code, atom.label, atom.alias)
                groupings[atoms] = Grouping.fit(atoms, factors)
            grouping, codes = groupings[atoms]
            term = RandomTerm(grouping.name, codes, matrix, encoder.names, grouping.levels, covariance=structure)
            encoding = TermEncoding(encoder, None, grouping)
            terms += column_terms(term) if bar.uncorrelated else [term]
            encodings += encoding.by_column() if bar.uncorrelated else [encoding]
    checks.check_duplicates(terms, [frozenset(atom.code for atom in e.grouping.atoms) for e in encodings])
    return tuple(terms), tuple(encodings)


def column_terms(term: RandomTerm) -> list[RandomTerm]:
    """One term for each column of `term`: what two bars make of it."""
    return [with_columns(term, [j]) for j in range(term.k)]


def with_columns(term: RandomTerm, chosen: Sequence[int]) -> RandomTerm:
    """Return `term` with the columns `chosen`, in this order."""
    return replace(term, z=term.z[:, chosen], columns=tuple(term.columns[j] for j in chosen))
