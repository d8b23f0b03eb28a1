"""Grouping factors: the text after the bar to factors, and columns to codes and levels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.data.formula.levels import count_or_hash, index_of, match_levels
from mixedsparse.data.formula.names import Token, text_of
from mixedsparse.data.formula.translate import Translator, shown
from mixedsparse.ground.errors import FormulaError

__all__ = ["Atom", "Grouping", "NewCodes", "expand_grouping"]


@dataclass(frozen=True, slots=True)
class Atom:
    """One factor of a grouping term: a column (`alias`) or an expression to evaluate (`code`)."""

    label: str
    code: str
    alias: str | None


def expand_grouping(tokens: Sequence[Token], translator: Translator, text: str) -> list[tuple[Atom, ...]]:
    """Terms of the grouping side `tokens` of the random-effects term `text`: ``a/b`` gives (a), (a, b).

    Precedence as in R: ``:`` and ``%in%`` before ``*`` and ``/`` before ``+``.
    """
    return _GroupParser(tokens, translator, text).parse()


class _GroupParser:
    """Recursive descent over the grouping side; every rule returns a list of tuples of atoms."""

    def __init__(self, tokens: Sequence[Token], translator: Translator, text: str) -> None:
        self.tokens, self.translator, self.text, self.position = tokens, translator, text, 0

    def parse(self) -> list[tuple[Atom, ...]]:
        terms = self._sum()
        if self.position < len(self.tokens):
            raise self._error(f"{self._peek()!r} is not understood")
        return list(dict.fromkeys(terms))

    def _peek(self) -> str:
        return self.tokens[self.position].text if self.position < len(self.tokens) else ""

    def _take(self, *symbols: str) -> str:
        """Consume and return the next token if it is one of `symbols`, else return ''."""
        symbol = self._peek()
        if symbol in symbols:
            self.position += 1
            return symbol
        return ""

    def _sum(self) -> list[tuple[Atom, ...]]:
        terms = self._product()
        while self._take("+"):
            terms = terms + self._product()
        return terms

    def _product(self) -> list[tuple[Atom, ...]]:
        terms = self._interaction()
        while symbol := self._take("*", "/"):
            right = self._interaction()
            if symbol == "*":
                terms = terms + right + _crossed(terms, right)
            else:
                parents = tuple(dict.fromkeys(atom for term in terms for atom in term))
                terms = terms + _crossed([parents], right)
        return terms

    def _interaction(self) -> list[tuple[Atom, ...]]:
        terms = self._atom()
        while symbol := self._take(":", "%in%"):
            right = self._atom()
            terms = _crossed(terms, right) if symbol == ":" else _crossed(right, terms)
        return terms

    def _atom(self) -> list[tuple[Atom, ...]]:
        if self._take("("):
            terms = self._sum()
            if not self._take(")"):
                raise self._error(f"{self._peek()!r} is not understood")
            return terms
        start = self.position
        if start >= len(self.tokens) or self.tokens[start].kind not in ("name", "quoted"):
            raise self._error(f"a grouping factor is missing before {self._peek()!r}")
        self.position += 1
        while self._peek() in ("(", "[") or (self._peek().startswith(".") and self._peek() != "."):
            self._skip_bracket()
        return [(self._make_atom(self.tokens[start : self.position]),)]

    def _skip_bracket(self) -> None:
        depth = 0
        while True:
            depth += (self._peek() in ("(", "[")) - (self._peek() in (")", "]"))
            self.position += 1
            if depth == 0:
                return

    def _make_atom(self, tokens: Sequence[Token]) -> Atom:
        if len(tokens) == 1 or tokens[0].text in ("C", "factor", "as.factor"):
            wrapped = tokens if len(tokens) == 1 else tokens[2:-1]
            if alias := self.translator.column_of(wrapped):
                return Atom(shown(tokens), alias, alias)
        if len(tokens) == 1:
            self.translator.unknown[tokens[0].name] = None
        return Atom(shown(tokens), self.translator.expression(tokens), None)

    def _error(self, why: str) -> FormulaError:
        side = text_of(self.tokens)
        return FormulaError(
            f"The grouping side {side!r} of {self.text!r} cannot be read: {why}. "
            "Write columns joined by ':', '/', '*' or '+', e.g. '(1 | a/b)'."
        )


def _crossed(left: list[tuple[Atom, ...]], right: list[tuple[Atom, ...]]) -> list[tuple[Atom, ...]]:
    return [tuple(dict.fromkeys((*a, *b))) for a in left for b in right]


@dataclass(frozen=True, slots=True)
class NewCodes:
    """Codes of new rows: -1 for a `missing` value (n,) bool and for a level in `unseen`, labels as text."""

    codes: np.ndarray
    missing: np.ndarray
    unseen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """A grouping factor as it was in the training data.

    Parameters
    ----------
    name : str
        Name as written, ``"a:b"``.
    atoms : tuple of Atom
    atom_levels : tuple of ndarray
        Levels of each atom.
    keys : ndarray of int or None
        Combinations of atom codes that occur, sorted; None for a single atom.
    levels : ndarray
        Labels; combinations are joined by ``:``.
    """

    name: str
    atoms: tuple[Atom, ...]
    atom_levels: tuple[np.ndarray, ...]
    keys: np.ndarray | None
    levels: np.ndarray

    @classmethod
    def fit(cls, atoms: tuple[Atom, ...], values: Mapping[str, Any]) -> tuple[Grouping, np.ndarray]:
        """Make the grouping of `values`, one column without missing values per atom's code; return its codes too."""
        name = ":".join(atom.label for atom in atoms)
        codes, levels = zip(*(values[atom.code] for atom in atoms), strict=True)
        if len(atoms) == 1:
            return cls(name, atoms, levels, None, levels[0]), codes[0]
        combined, sizes = _combine(codes, levels)
        new_codes, keys = count_or_hash(combined, math.prod(sizes))
        parts = np.unravel_index(keys, sizes)
        labels = [np.asarray(lev).astype(str)[part] for lev, part in zip(levels, parts, strict=True)]
        joined = np.array([":".join(row) for row in zip(*labels, strict=True)], dtype=object)
        return cls(name, atoms, levels, keys, joined), new_codes

    @property
    def weights(self) -> tuple[Atom, ...]:
        """Expressions of weights, of which there are none."""
        return ()

    def effects(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the effects: those left of the bar."""
        return names

    def basis(self, z: np.ndarray, weights: Sequence[np.ndarray]) -> np.ndarray:
        """Basis (n, k): the effects themselves."""
        return z

    def encode(self, values: Mapping[str, Any]) -> NewCodes:
        """Codes of new `values` (raw columns, one per atom's code) among the training levels."""
        parts = [
            match_levels(values[atom.code], index_of(lev), atom.label)
            for atom, lev in zip(self.atoms, self.atom_levels, strict=True)
        ]
        missing = np.logical_or.reduce([found < 0 for _, found, _ in parts])
        if self.keys is None:
            codes = parts[0][0]
        else:
            known = np.logical_and.reduce([c >= 0 for c, _, _ in parts])
            combined, sizes = _combine([np.maximum(c, 0) for c, _, _ in parts], self.atom_levels)
            at, keys = count_or_hash(combined, math.prod(sizes))
            place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
            codes = np.where(known, np.where(self.keys[place] == keys, place, -1)[at], -1)
        rows = np.flatnonzero((codes < 0) & ~missing)
        labels = zip(*(labels[found[rows]].tolist() for _, found, labels in parts), strict=True)
        return NewCodes(codes, missing, tuple(dict.fromkeys(":".join(map(str, row)) for row in labels)))


def _combine(codes: Sequence[np.ndarray], levels: Sequence[np.ndarray]) -> tuple[np.ndarray, tuple[int, ...]]:
    """One integer per combination of codes, ordered by the first factor, then the second."""
    sizes = tuple(len(lev) for lev in levels)
    combined = codes[0].astype(np.int64)
    for c, size in zip(codes[1:], sizes[1:], strict=True):
        combined = combined * size + c
    return combined, sizes
