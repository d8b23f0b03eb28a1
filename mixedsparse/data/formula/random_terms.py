"""Random-effects terms of a formula as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.core.structures.interface import Structure
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.contrasts import Coding
from mixedsparse.data.formula.encoders import Encoder, fit_encoder
from mixedsparse.data.formula.grouping import Atom, Grouping
from mixedsparse.data.formula.joint import JointGrouping, constant
from mixedsparse.data.formula.kinds import numbers
from mixedsparse.data.formula.newdata import TermEncoding
from mixedsparse.data.formula.ordered import fit_ordered, structure_of
from mixedsparse.data.formula.parse import Expression, ParsedBar, ParsedFormula
from mixedsparse.data.relations import Relation

__all__ = ["column_terms", "random_terms", "related_factors", "with_columns"]


def random_terms(
    parsed: ParsedFormula,
    columns: Columns,
    values: Mapping[str, Any],
    codings: Mapping[str, Coding],
    relations: Mapping[str, Relation],
) -> tuple[tuple[RandomTerm, ...], tuple[TermEncoding, ...]]:
    """All random-effects terms in formula order, checked, and how to repeat them; `relations` are those of rel()."""
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
        if bar.joint is not None:
            made_terms = _joint_terms(bar, columns, encoder, matrix, structure, relations)
            terms += [term for term, _ in made_terms]
            encodings += [encoding for _, encoding in made_terms]
            continue
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
    checks.check_duplicates(terms, [_factors(e.grouping) for e in encodings])
    return tuple(terms), tuple(encodings)


def related_factors(parsed: ParsedFormula) -> dict[str, str]:
    """Factors that stand in ``rel(...)``, by the names under which relations are given, and their terms."""
    found = [(bar.joint.atoms[0], bar.text) for bar in parsed.bars if bar.joint is not None and bar.joint.kind == "rel"]
    return {_relation_name(atom, parsed.names): text for atom, text in found}


def _relation_name(atom: Atom, names: Mapping[str, str]) -> str:
    return atom.label if atom.alias is None else names[atom.alias]


def _joint_terms(
    bar: ParsedBar,
    columns: Columns,
    encoder: Encoder,
    matrix: np.ndarray,
    structure: Structure | None,
    relations: Mapping[str, Relation],
) -> list[tuple[RandomTerm, TermEncoding]]:
    """Terms of a bar with a joint grouping: one, or one per effect of ``||``."""
    joint = bar.joint
    assert joint is not None
    values = [columns.factor(atom.code, atom.label, atom.alias) for atom in joint.atoms]
    relation = relations[_relation_name(joint.atoms[0], columns.names)] if joint.kind == "rel" else None
    if relation is None:
        grouping, codes = JointGrouping.fit(joint, values, bar.text)
    else:
        grouping, codes = JointGrouping.related(joint, values[0], relation.levels)
    weights = [_weight(weight, columns) for weight in joint.weights]
    encoding = TermEncoding(encoder, None, grouping)
    term = RandomTerm(
        grouping.name,
        codes,
        grouping.basis(matrix, weights),
        encoding.names,
        grouping.levels,
        covariance=structure,
        precision=None if relation is None else relation.relationship,
    )
    if bar.uncorrelated:
        return list(zip(column_terms(term), encoding.by_column(), strict=True))
    return [(term, encoding)]


def _weight(weight: Atom, columns: Columns) -> np.ndarray:
    """Weights (n,) of the levels of one column."""
    number = constant(weight)
    if number is not None:
        return np.full(columns.n, number)
    what = f"The weight {weight.label!r}"
    values = numbers(columns.expression(Expression(weight.label, weight.code, weight.alias)), what)
    checks.check_finite(values[:, None], [weight.label])
    return values


def _factors(grouping: Grouping | JointGrouping) -> frozenset[str]:
    """Columns of a grouping factor; a joint one is another factor than those of its columns."""
    if isinstance(grouping, JointGrouping):
        return frozenset({grouping.name})
    return frozenset(atom.code for atom in grouping.atoms)


def column_terms(term: RandomTerm) -> list[RandomTerm]:
    """One term for each column of `term`: what two bars make of it."""
    return [with_columns(term, [j]) for j in range(term.k)]


def with_columns(term: RandomTerm, chosen: Sequence[int]) -> RandomTerm:
    """Return `term` with the columns `chosen`, in this order."""
    return replace(term, z=term.z[..., chosen], columns=tuple(term.columns[j] for j in chosen))
