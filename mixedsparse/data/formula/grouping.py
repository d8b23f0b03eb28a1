"""Grouping factors: the text after the bar to factors, and columns to codes and levels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.frames import missing_rows, natural
from mixedsparse.data.formula.kinds import level_names, sort_of, whole
from mixedsparse.data.formula.names import Token, text_of
from mixedsparse.data.formula.translate import Translator, shown
from mixedsparse.ground.errors import DataError, FormulaError

__all__ = ["Atom", "Grouping", "NewCodes", "expand_grouping", "factorise", "match_levels"]

# Integers are counted rather than hashed when they span at most this many times their number (or this number at all).
_DENSE_SPAN = 4
_DENSE_ALWAYS = 10_000
_SIGNED = 2**63


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
        new_codes, keys = _count_or_hash(combined, math.prod(sizes))
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
            match_levels(values[atom.code], pd.Index(lev), atom.label)
            for atom, lev in zip(self.atoms, self.atom_levels, strict=True)
        ]
        missing = np.logical_or.reduce([found < 0 for _, found, _ in parts])
        if self.keys is None:
            codes = parts[0][0]
        else:
            known = np.logical_and.reduce([c >= 0 for c, _, _ in parts])
            combined, sizes = _combine([np.maximum(c, 0) for c, _, _ in parts], self.atom_levels)
            at, keys = _count_or_hash(combined, math.prod(sizes))
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


def factorise(values: Any, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes (n,) and levels of the column `label`, which has no missing values.

    Levels come sorted, or in the order of the categories of a categorical; levels that do not occur are left out.
    The column itself is never sorted.

    Raises
    ------
    DataError
        The column holds objects that cannot be levels, such as lists.
    """
    if isinstance(values, pd.Categorical):
        codes, used = _count_or_hash(values.codes, len(values.categories))
        return codes, whole(np.asarray(values.categories)[used])
    kind = values.dtype.kind if isinstance(values, np.ndarray) else "O"
    if kind == "f":
        values = whole(values)
        kind = values.dtype.kind
    if kind in "iu" and len(values):
        low, high = int(values.min()), int(values.max())
        # Unsigned numbers may be beyond the signed ones that codes are counted in.
        if high < _SIGNED and high - low <= max(_DENSE_SPAN * len(values), _DENSE_ALWAYS):
            codes, used = _count_or_hash(values - low if low else values, high - low + 1)
            return codes, used + low
    try:
        codes, levels = pd.factorize(values, sort=True)
    except TypeError as err:
        kind = type(values[0]).__name__
        raise DataError(
            f"The factor {label!r} holds objects of type {kind}, which cannot be put in order: convert it to text."
        ) from err
    return codes.astype(np.intp, copy=False), np.asarray(levels)


def _count_or_hash(codes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Renumber non-negative `codes` below `size` without gaps; also return the sorted codes that occur."""
    if size <= max(_DENSE_SPAN * len(codes), _DENSE_ALWAYS):
        present = np.bincount(codes, minlength=size) > 0
        if present.all():
            return codes.astype(np.intp), np.arange(size)  # a copy: `codes` may be the user's own column
        return (np.cumsum(present) - 1)[codes], np.flatnonzero(present)
    new, used = pd.factorize(codes, sort=True)
    return new.astype(np.intp, copy=False), used


def match_levels(values: Any, levels: pd.Index, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of `values` among `levels` (-1: absent), codes among their own labels (-1: missing), and these labels.

    A level is known by its name where `values` are of another type: the text ``"3"`` is the level 3.
    """
    if missing_rows(values) is None:
        found, labels = factorise(natural(values, labels=True), label)
    else:
        found, labels = pd.factorize(values)
        labels = np.asarray(labels)
    if len(labels) == 0:
        return np.full(len(found), -1), found, labels
    place = levels.get_indexer(pd.Index(labels))
    if (place < 0).any():
        place = np.where(place < 0, _places_by_name(labels, levels), place)
    return np.where(found < 0, -1, place[found]), found, labels


def _places_by_name(labels: np.ndarray, levels: pd.Index) -> np.ndarray:
    """Places of `labels` of one type among `levels` of another, by their names; -1 where there is none."""
    own, known = sort_of(labels), sort_of(np.asarray(levels))
    names = pd.Index(level_names(np.asarray(levels), own)) if own is not known else pd.Index([])
    if not len(names) or not names.is_unique:
        return np.full(len(labels), -1)
    return names.get_indexer(pd.Index(level_names(labels, known)))
