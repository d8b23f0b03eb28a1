"""Sides of a formula whose rows stay elsewhere: encoders that never saw them, and what the database must compute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixedsparse.data.formula.contrasts import Coding, Contrast, make_coding
from mixedsparse.data.formula.encoders import Encoder, Side, Transform, fit_encoder
from mixedsparse.data.formula.kinds import Sort, check_text, stands_for_levels
from mixedsparse.data.formula.parse import ParsedFormula
from mixedsparse.data.formula.structure import Products, read_products
from mixedsparse.data.formula.translate import is_coerced, restore
from mixedsparse.data.formula.width import check_width
from mixedsparse.data.sources.coded import COPIES, SQUARES
from mixedsparse.data.sources.columns import SourceColumns, code_key, sort_of_type
from mixedsparse.data.sources.expressions import Standardised, Translation, translate
from mixedsparse.data.sources.levels import LevelsOf
from mixedsparse.data.sources.portable import as_number
from mixedsparse.ground.errors import FormulaError

__all__ = ["EncodedSide", "SideReader"]

# A call that makes a factor of one column and says how it is coded.
_COERCED = re.compile(r"C\(\s*(_ms\d+v)\s*[,)]")


@dataclass(frozen=True, slots=True, eq=False)
class EncodedSide:
    """One side.

    Attributes
    ----------
    encoder : Encoder
        For new data.
    products : Products
    sources : dict
        Key of the factor that each coded factor of a term is.
    """

    encoder: Encoder
    products: Products
    sources: Mapping[str, str]


@dataclass(eq=False)
class SideReader:
    """Reads sides, collecting the numbers that they need.

    Parameters
    ----------
    columns : SourceColumns
    parsed : ParsedFormula
    constants : Mapping
        Numbers of the caller that the formula uses.
    contrasts : Mapping
    """

    columns: SourceColumns
    parsed: ParsedFormula
    constants: Mapping[str, Any]
    contrasts: Mapping[str, Contrast]
    numbers: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _read: dict[int, EncodedSide] = field(default_factory=dict)

    @property
    def translation(self) -> Translation:
        """What expressions may use."""
        names = self.parsed.names
        values = {alias: self._plain(column) for alias, column in names.items()}
        return Translation(values, self.constants, names)

    def _plain(self, column: str) -> Any:
        value = self.columns.value(column)
        return as_number(value) if sort_of_type(value.type()) is Sort.NUMBERS else value

    def read_levels(self) -> None:
        """Read the levels of all factors at once, as far as they can be told from the formula."""
        parsed, columns = self.parsed, self.columns
        sides = [parsed.fixed, *(bar.effects for bar in parsed.bars)]
        coded = dict.fromkeys(name for side in sides for name in self._coded_columns(side))
        wanted = {code_key(column): columns.levels_of(column) for column in coded}
        groups = dict.fromkeys(atoms for bar in parsed.bars if bar.joint is None for atoms in bar.groups)
        for atom in dict.fromkeys(atom for atoms in groups for atom in atoms):
            column = parsed.names[atom.alias] if atom.alias else None
            key = columns.keys[atom.code] = code_key(atom.code if column is None else column)
            if column is None:
                wanted[key] = LevelsOf(atom.label, translate(atom.code, atom.label, self.translation))
            else:
                wanted[key] = columns.levels_of(column, atom.label)
        columns.read_factors(wanted, [columns.keys_of(atoms) for atoms in groups if len(atoms) > 1])

    def side(self, side: Side) -> EncodedSide:
        """Encode a side; equal ones are shared."""
        if id(side) not in self._read:
            self._read[id(side)] = self._encode(side)
        return self._read[id(side)]

    def finish(self, moments: Mapping[str, Any]) -> None:
        """Tell encoders that standardise the mean and deviation over all rows."""
        for encoded in self._read.values():
            if isinstance(encoded.encoder, Transform):
                for code, state in encoded.encoder.spec.transform_state.items():
                    found, n = moments[code], self.columns.n
                    state["center"] = np.float64(found.mean)
                    if state["scale"] is not None:
                        state["scale"] = np.float64(found.deviation * np.sqrt(n / (n - 1)))

    def _encode(self, side: Side) -> EncodedSide:
        codings = {alias: coding for alias in side.bare if (coding := self._coding(alias)) is not None}
        coerced = dict(self._coerced(side))
        others = [code for code in _factors(side) if code not in codings and code not in coerced]
        conditions = {code: levels for code in others if (levels := self._add_expression(code)) is not None}
        sizes = [len(coding.levels) for coding in codings.values()] + [len(v) for v in coerced.values()]
        n = max([2, *sizes])
        by_alias = {self._alias_of(code): np.resize(levels, n) for code, levels in coerced.items()}
        check_width(side, codings, by_alias, self.columns.n, self._room)
        values: dict[str, Any] = {}
        for alias in side.aliases:
            if alias in codings:
                values[alias] = np.resize(np.arange(len(codings[alias].levels)), n)
            else:
                values[alias] = by_alias[alias] if alias in by_alias else self._specimen(alias, n)
        encoder, _ = fit_encoder(side, values, codings, n, self.constants, conditions)
        products = read_products(encoder)
        sources = {alias: code_key(self.parsed.names[alias]) for alias in codings}
        sources |= {code: code_key(self.parsed.names[self._alias_of(code)]) for code in coerced}
        sources |= {code: code_key(code) for code in conditions}
        self._check_levels(products, sources, side)
        return EncodedSide(encoder, products, sources)

    def _room(self, columns: int) -> float:
        """Bytes that the sums of so many columns take: among themselves, and by the levels of a factor."""
        levels = max((len(factor.levels) for factor in self.columns.factors.values()), default=0)
        return 8.0 * columns * (SQUARES * columns + COPIES * levels)

    def _coded_columns(self, side: Side) -> list[str]:
        """Columns of a side whose levels are wanted, as far as that can be told before it is encoded."""
        named = [self.parsed.names[alias] for alias in side.bare]
        found = [
            column
            for alias, column in zip(side.bare, named, strict=True)
            if column in self.contrasts
            or is_coerced(alias)
            or sort_of_type(self.columns.value(column).type()) in (Sort.TRUTH, Sort.TEXT)
        ]
        called = [self.parsed.names[self._alias_of(code)] for code in _factors(side) if _COERCED.match(code)]
        return [*found, *called]

    def _coding(self, alias: str) -> Coding | None:
        """Coding of a bare factor; None for a number."""
        column = self.parsed.names[alias]
        contrast, dtype = self.contrasts.get(column), self.columns.value(column).type()
        what, sort = f"The column {column!r}", sort_of_type(dtype)
        is_named = contrast is not None or is_coerced(alias)  # the user says that it is a factor
        if not is_named and not stands_for_levels(sort, what):
            return None
        factor = self.columns.column_factor(column)
        if not is_named and sort is Sort.TEXT:
            check_text(factor.levels, self.columns.n, what)
        floating = is_coerced(alias) and dtype.is_floating()
        levels = factor.levels.astype(float) if floating else factor.levels
        return make_coding(column, levels.tolist(), contrast or Contrast())

    def _coerced(self, side: Side) -> Iterator[tuple[str, Any]]:
        """Yield calls ``C(column, ...)`` and the levels of their columns."""
        for code in _factors(side):
            if _COERCED.match(code):
                column = self.parsed.names[self._alias_of(code)]
                yield code, self.columns.column_factor(column).levels

    @staticmethod
    def _alias_of(code: str) -> str:
        match = _COERCED.match(code)
        assert match is not None
        return match.group(1)

    def _specimen(self, alias: str, n: int) -> np.ndarray:
        """Values (n,) such as a column might have, for an encoder that never sees the rows."""
        sort = sort_of_type(self.columns.value(self.parsed.names[alias]).type())
        if sort is Sort.NUMBERS:
            return np.linspace(1.0, 2.0, n)
        return np.resize([False, True] if sort is Sort.TRUTH else np.array(["a", "b"], dtype=object), n)

    def _add_expression(self, code: str) -> list[bool] | None:
        """Note an expression as a number; read the levels of one that gives truth values."""
        label = restore(code, self.parsed.names)
        value = translate(code, label, self.translation)
        sort = Sort.NUMBERS if isinstance(value, (float, Standardised)) else sort_of_type(value.type())
        if sort is Sort.TRUTH:
            self.columns.read_factors({code_key(code): LevelsOf(label, value)})
            levels: list[bool] = self.columns.factors[code_key(code)].levels.tolist()
            Coding(tuple(levels), Contrast()).check(label)
            return levels
        if sort is not Sort.NUMBERS:
            raise FormulaError(f"{label!r} is no number but {value.type()}: add the factor to the source as a column.")
        self.numbers[code] = (f"The term {label!r}", value)
        return None

    def _check_levels(self, products: Products, sources: Mapping[str, str], side: Side) -> None:
        """Refuse a coercion that changes the levels: their codes would not be those of the column."""
        for name, levels in products.levels.items():
            known = self.columns.factors[sources[name]].levels if name in sources else None
            if known is None or [str(level) for level in levels] != [str(level) for level in known]:
                raise FormulaError(
                    f"{restore(name, side.names)!r} makes levels of its own, which cannot be computed where the source "
                    "is: add the factor to the source as a column."
                )


def _factors(side: Side) -> list[str]:
    """Expressions of the factors of all terms of a side."""
    found = (f for term in side.formula for f in term.factors if f.eval_method.value != "literal")
    return list(dict.fromkeys(f.expr for f in found))
