"""Sides of a formula whose rows stay elsewhere: encoders that never saw them, and what the database must compute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixedsparse.errors import DataError, FormulaError
from mixedsparse.formula.contrasts import Coding, Contrast, make_coding
from mixedsparse.formula.encoders import Encoder, Side, Transform, fit_encoder
from mixedsparse.formula.parse import ParsedFormula
from mixedsparse.formula.structure import Products, read_products
from mixedsparse.formula.translate import is_coerced, restore
from mixedsparse.sources.columns import SourceColumns, as_number, code_key, is_number
from mixedsparse.sources.expressions import Standardised, Translation, translate

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
        return as_number(value) if is_number(value.type()) else value

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
        numbers = [code for code in _factors(side) if code not in codings and code not in coerced]
        for code in numbers:
            self._add_number(code)
        sizes = [len(coding.levels) for coding in codings.values()] + [len(v) for v in coerced.values()]
        n = max([2, *sizes])
        by_alias = {self._alias_of(code): np.resize(levels, n) for code, levels in coerced.items()}
        values: dict[str, Any] = {}
        for alias in side.aliases:
            if alias in codings:
                values[alias] = np.resize(np.arange(len(codings[alias].levels)), n)
            else:
                values[alias] = by_alias.get(alias, np.linspace(1.0, 2.0, n))
        encoder, _ = fit_encoder(side, values, codings, n, self.constants)
        products = read_products(encoder)
        sources = {alias: code_key(self.parsed.names[alias]) for alias in codings}
        sources |= {code: code_key(self.parsed.names[self._alias_of(code)]) for code in coerced}
        self._check_levels(products, sources, side)
        return EncodedSide(encoder, products, sources)

    def _coding(self, alias: str) -> Coding | None:
        """Coding of a bare factor; None for a number."""
        column = self.parsed.names[alias]
        contrast, value = self.contrasts.get(column), self.columns.value(column)
        if contrast is None and is_number(value.type()) and not is_coerced(alias):
            return None
        if contrast is None and value.type().is_temporal():
            raise DataError(
                f"The column {column!r} holds dates or times: convert it to a number, e.g. the days since the first."
            )
        factor = self.columns.column_factor(column)
        floating = is_coerced(alias) and value.type().is_floating()
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

    def _add_number(self, code: str) -> None:
        label = restore(code, self.parsed.names)
        value = translate(code, label, self.translation)
        dtype = None if isinstance(value, (float, Standardised)) else value.type()
        if dtype is not None and not dtype.is_numeric():
            raise FormulaError(
                f"{label!r} is no number but {dtype}: write a condition as 'where(..., 1, 0)', a factor as a column."
            )
        self.numbers[code] = (f"The term {label!r}", value)

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
