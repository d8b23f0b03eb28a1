"""Groupings of several columns at once: ``roles(sender, receiver)``, ``mm(a, b, weights=(w1, w2))``, ``rel(animal)``.

A row of a role term belongs to a level in each role, one of a membership term to several levels with weights: the
levels are those of all columns together. ``rel(animal)`` is one column whose levels have a known relationship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.grouping import Atom, NewCodes
from mixedsparse.data.formula.levels import index_of, match_levels
from mixedsparse.data.formula.names import GROUPINGS, Token, text_of
from mixedsparse.data.formula.translate import Translator, shown
from mixedsparse.data.formula.unions import union_of_levels
from mixedsparse.ground.errors import DataError, FormulaError

__all__ = ["Joint", "JointGrouping", "constant", "read_joint"]

_ROLES, _MEMBERSHIP, _RELATED = GROUPINGS
_OPEN, _CLOSE = ("(", "[", "{"), (")", "]", "}")
_BOOLEANS = {"True": True, "TRUE": True, "False": False, "FALSE": False}
# What other programs write, and what to write here.
_ELSEWHERE = {
    "gr": "write '(1 | rel(id))' and give relations={'id': A} for related levels",
    "vm": "write '(1 | rel(id))' and give relations={'id': ms.Precision(P, levels)}",
    "ped": "write '(1 | rel(id))' and give relations={'id': ms.Pedigree(frame)}",
}


@dataclass(frozen=True, slots=True)
class Joint:
    """A grouping that is more than one factor by itself.

    Attributes
    ----------
    kind : {"roles", "mm", "rel"}
    atoms : tuple of Atom
        Its columns.
    weights : tuple of Atom
        Of a membership term, as expressions; none where shares are equal.
    scale : bool
        Whether the weights of a row are made to sum to 1.
    same : bool
        Whether one level may have several roles in a row.
    """

    kind: str
    atoms: tuple[Atom, ...]
    weights: tuple[Atom, ...] = ()
    scale: bool = False
    same: bool = False

    @property
    def label(self) -> str:
        """Name of the grouping, as tables have it."""
        return f"{self.kind}({', '.join(atom.label for atom in self.atoms)})"


def read_joint(tokens: Sequence[Token], translator: Translator, text: str) -> Joint | None:
    """Read the grouping side of the random-effects term `text`; None where it is an ordinary one.

    Raises
    ------
    FormulaError
        It cannot be read.
    """
    name = tokens[0].text
    called = len(tokens) > 2 and tokens[0].kind == "name" and tokens[1].text == "(" and name not in translator.outer
    if called and name in _ELSEWHERE:
        raise FormulaError(f"The grouping {text_of(tokens)!r} of {text!r} is not known here: {_ELSEWHERE[name]}.")
    if not called or name not in GROUPINGS:
        return None
    arguments, end = _arguments(tokens)
    if end < len(tokens) - 1:
        raise FormulaError(
            f"In {text!r} {name}() must be all that stands after the bar: write a term of its own for other factors."
        )
    members = [part for part in arguments if not _is_named(part)]
    options = {part[0].text: part[2:] for part in arguments if _is_named(part)}
    known = {_ROLES: ("same",), _MEMBERSHIP: ("weights", "scale"), _RELATED: ()}[name]
    for key in options:
        if key not in known:
            mend = f"it takes {' and '.join(known)}" if known else "it takes one column"
            raise FormulaError(f"{name}() has no argument {key!r} (in {text!r}): {mend}.")
    atoms = tuple(_atom(part, translator) for part in members if part)
    needed = 1 if name == _RELATED else 2
    if (len(atoms) != 1) if name == _RELATED else (len(atoms) < 2 and name == _ROLES) or not atoms:
        example = {_ROLES: "roles(sender, receiver)", _MEMBERSHIP: "mm(a, b)", _RELATED: "rel(animal)"}[name]
        raise FormulaError(f"{text_of(tokens)!r} in {text!r} has {len(atoms)} columns, not {needed}: write {example}.")
    if len(set(atoms)) < len(atoms):
        raise FormulaError(f"{text_of(tokens)!r} in {text!r} names a column twice: each must be another.")
    flags = {key: _flag(key, options[key], text) for key in ("scale", "same") if key in options}
    return Joint(name, atoms, _weights(options.get("weights"), len(atoms), translator, text), **flags)


def _arguments(tokens: Sequence[Token]) -> tuple[list[list[Token]], int]:
    """Arguments of the call that `tokens` begin with, and where its bracket ends."""
    out: list[list[Token]] = [[]]
    depth = 0
    for i, token in enumerate(tokens[1:], 1):
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth == 0:
            return out, i
        if depth == 1 and token.text == ",":
            out.append([])
        elif depth > 1 or token.text not in _OPEN:
            out[-1].append(token)
    return out, len(tokens) - 1


def _is_named(part: Sequence[Token]) -> bool:
    return len(part) > 2 and part[0].kind == "name" and part[1].text == "="


def _atom(tokens: Sequence[Token], translator: Translator) -> Atom:
    alias = translator.column_of(tokens)
    if alias is None and len(tokens) == 1 and tokens[0].kind in ("name", "quoted"):
        translator.unknown[tokens[0].name] = None
    return Atom(shown(tokens), alias or translator.expression(tokens), alias)


def constant(weight: Atom) -> float | None:
    """Return the number that a weight is; None for a column or another expression."""
    try:
        return float(weight.code)
    except ValueError:
        return None


def _flag(key: str, tokens: Sequence[Token], text: str) -> bool:
    value = text_of(tokens)
    if value not in _BOOLEANS:
        raise FormulaError(f"{key}={value} in {text!r}: write {key}=True or {key}=False.")
    return _BOOLEANS[value]


def _weights(tokens: Sequence[Token] | None, count: int, translator: Translator, text: str) -> tuple[Atom, ...]:
    if tokens is None:
        return ()
    if tokens[0].text not in ("(", "[") and not (tokens[0].text in ("c", "cbind") and len(tokens) > 3):
        raise FormulaError(f"The weights of {text!r} must be one for each column: write weights=(w1, w2).")
    start = 0 if tokens[0].text in ("(", "[") else 1
    parts, _ = _arguments([Token("name", "weights"), *tokens[start:]])
    parts = [part for part in parts if part]
    if len(parts) != count:
        raise FormulaError(f"{text!r} has {count} columns, but {len(parts)} weights: write one for each column.")
    return tuple(_atom(part, translator) for part in parts)


@dataclass(frozen=True, slots=True)
class JointGrouping:
    """A joint grouping as it was in the training data; it answers what a `Grouping` does.

    Parameters
    ----------
    joint : Joint
    levels : ndarray
        Labels, of all columns together.
    """

    joint: Joint
    levels: np.ndarray

    @classmethod
    def fit(
        cls, joint: Joint, values: Sequence[tuple[np.ndarray, np.ndarray]], text: str
    ) -> tuple[JointGrouping, np.ndarray]:
        """Make the grouping of columns, codes and levels of each, without missing values; return its codes too.

        Raises
        ------
        DataError
            The columns hold values of different types, or a level has two roles in a row.
        """
        codes, levels = union_of_levels(values, [atom.label for atom in joint.atoms])
        table = np.stack(codes, axis=1)
        if joint.kind == _ROLES and not joint.same:
            ordered = np.sort(table, axis=1)
            twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
            if len(twice):
                raise DataError(
                    f"In {len(twice)} of {len(table)} rows one level has several roles of {joint.label} (first "
                    f"{str(levels[ordered[twice[0], 0]])!r}, in row {twice[0]} of those used): leave these rows out, "
                    f"or write same=True in {text!r} if they are meant."
                )
        return cls(joint, levels), table if table.shape[1] > 1 else table[:, 0]

    @classmethod
    def related(
        cls, joint: Joint, values: tuple[np.ndarray, np.ndarray], levels: Any
    ) -> tuple[JointGrouping, np.ndarray]:
        """Make the grouping of one column among the `levels` of a relationship; return its codes too.

        Raises
        ------
        DataError
            The column has levels that the relationship has not.
        """
        codes, present = values
        place, _, _ = match_levels(present, pd.Index(levels), joint.atoms[0].label)
        absent = np.flatnonzero(place < 0)
        if len(absent):
            listed = ", ".join(repr(str(level)) for level in present[absent[:3]])
            more = f", and {len(absent) - 3} more" if len(absent) > 3 else ""
            raise DataError(
                f"The relationship of {joint.atoms[0].label!r} has no level {listed}{more}, which the data have: add "
                "them to it, or leave their rows out."
            )
        return cls(joint, np.asarray(levels)), place[codes]

    @property
    def name(self) -> str:
        """Name as tables have it."""
        return self.joint.label

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """Columns."""
        return self.joint.atoms

    @property
    def weights(self) -> tuple[Atom, ...]:
        """Expressions of the weights."""
        return self.joint.weights

    def effects(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the effects: those left of the bar, in each role."""
        if self.joint.kind != _ROLES:
            return names
        return tuple(
            atom.label if name == "Intercept" else f"{atom.label}:{name}" for atom in self.atoms for name in names
        )

    def basis(self, z: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
        """Basis (n, slots, k), or (n, k) of one column, from the effects z (n, j) and `weights` (n,) of each column."""
        count = len(self.atoms)
        if self.joint.kind == _ROLES:
            out = np.zeros((len(z), count, count * z.shape[1]))
            for c in range(count):
                out[:, c, c * z.shape[1] : (c + 1) * z.shape[1]] = z
            return out
        if self.joint.kind != _MEMBERSHIP:
            return z
        shares = np.stack(weights, axis=1) if weights else np.full((len(z), count), 1.0 / count)
        if self.joint.scale:
            shares = shares / shares.sum(axis=1, keepdims=True)
        out = shares[:, :, None] * z[:, None, :]
        return out if count > 1 else out[:, 0]

    def encode(self, values: Mapping[str, Any]) -> NewCodes:
        """Codes of new `values` (raw columns, one per atom's code) among the training levels."""
        index = index_of(self.levels)
        parts = [match_levels(values[atom.code], index, atom.label) for atom in self.atoms]
        codes = np.stack([code for code, _, _ in parts], axis=1)
        gone = np.stack([found < 0 for _, found, _ in parts], axis=1)
        unseen: dict[str, None] = {}
        for j, (_, found, labels) in enumerate(parts):
            new = (codes[:, j] < 0) & ~gone[:, j]
            unseen.update(dict.fromkeys(str(label) for label in labels[found[new]]))
        return NewCodes(codes if codes.shape[1] > 1 else codes[:, 0], gone.any(axis=1), tuple(unseen))
