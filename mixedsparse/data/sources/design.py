"""From a formula and a source to the design and the sums of a linear mixed model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.residual_like import like_residual
from mixedsparse.core.problem.sums import PlainSums, aggregated_problem
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.contrasts import check_used, read_contrasts
from mixedsparse.data.formula.design import Design
from mixedsparse.data.formula.frames import column_error
from mixedsparse.data.formula.grouping import Atom, Grouping
from mixedsparse.data.formula.kinds import Sort
from mixedsparse.data.formula.newdata import Encoding, TermEncoding
from mixedsparse.data.formula.parse import Expression
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.data.sizes import Sizes, check_sizes
from mixedsparse.data.sources.columns import SourceColumns, sort_of_type
from mixedsparse.data.sources.database import Database
from mixedsparse.data.sources.expressions import translate
from mixedsparse.data.sources.moments import Moments
from mixedsparse.data.sources.opening import location_of, open_source
from mixedsparse.data.sources.portable import as_number
from mixedsparse.data.sources.reading import column_argument, read_formula
from mixedsparse.data.sources.remote import RemoteSource, summaries, summarised
from mixedsparse.data.sources.sides import EncodedSide, SideReader
from mixedsparse.data.sources.sums import Pieces, collect, may_hardly_repeat
from mixedsparse.data.sources.working import Number
from mixedsparse.ground.errors import DataError
from mixedsparse.ground.limits import LIMITS, Limits
from mixedsparse.ground.progress import CountOption, counter

__all__ = ["Aggregated", "Reading", "aggregate"]

_RESPONSE, _LESS_OFFSET, _WEIGHTS, _LOGARITHM = "response", "response less offset", "weights", "log weights"


@dataclass(frozen=True, slots=True, eq=False)
class Aggregated:
    """A design without rows, its problem, and sizes of what was read.

    Attributes
    ----------
    design : Design
    problem : Problem
    sizes : Sizes
    """

    design: Design
    problem: Problem
    sizes: Sizes


def aggregate(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    progress: CountOption = None,
    limits: Limits = LIMITS,
) -> Aggregated:
    """Aggregate a source to the sums that a model needs.

    Parameters
    ----------
    formula : str
    data : str, path, DuckDB relation or Ibis table
        Parquet file, directory or glob, or a table.
    weights, offset : str, optional
        Column names.
    contrasts : dict, optional
    env : Mapping, optional
        Names of the caller; the formula may use the numbers among them.
    progress : bool or callable, optional
        See `mixedsparse.ground.progress.counter`; queries are counted.
    limits : Limits

    Raises
    ------
    FormulaError, DataError, ColumnError
        The formula cannot be computed in a database, or the data cannot support it.
    """
    database = open_source(data)
    beside = {"weights": column_argument("weights", weights), "offset": column_argument("offset", offset)}
    with counter(progress, "aggregation") as note:
        database.watch(note)
        reading = Reading(formula, database, beside, contrasts, {} if env is None else env)
        return reading.aggregated(location_of(data), limits)


class Reading:
    """One formula on one source: levels first, then moments, then sums; `beside`: columns that arguments name."""

    def __init__(
        self,
        formula: str,
        database: Database,
        beside: Mapping[str, str | None],
        contrasts: Mapping[str, Any] | None,
        env: Mapping[str, Any],
    ) -> None:
        self.formula, self.contrasts = formula, contrasts
        self.weights, self.offset = beside["weights"], beside["offset"]
        names = tuple(database.table.columns)
        self.parsed, self.constants = read_formula(formula, names, env)
        coded = read_contrasts(contrasts)
        if coded:
            check_used(coded, names, self.parsed.factors)
        for what, name in beside.items():
            if name is not None and name not in names:
                raise column_error([name], names, f"{what}={name!r}")
        used = [*self.parsed.columns, *(name for name in beside.values() if name is not None)]
        self.columns = SourceColumns(database, list(dict.fromkeys(used)))
        self.reader = SideReader(self.columns, self.parsed, self.constants, coded)
        self.reader.read_levels()

    def aggregated(self, location: str | None, limits: Limits = LIMITS) -> Aggregated:
        """Take the sums."""
        fixed = self.reader.side(self.parsed.fixed)
        terms, encodings, sides = self._terms()
        groups = list(dict.fromkeys(encoding.grouping.atoms for encoding in encodings))
        # Moments, sums by level, and pairs of levels.
        self.columns.database.expect(2 + len(groups) * (len(groups) - 1) // 2)
        predictors = self._predictors()
        others = summarised(self.columns, predictors, set(fixed.sources.values()))
        found = self._numbers(others, self._crossed(groups))
        moments = {name: moment for name, (_, moment) in found.items()}
        self.reader.finish(moments)
        self._check(terms, moments)
        pieces = Pieces(
            columns=self.columns,
            fixed=fixed,
            terms=terms,
            encodings=encodings,
            sides=sides,
            numbers={name: number for name, (number, _) in found.items()},
            response=_LESS_OFFSET,
            weights=None if self.weights is None else as_number(self.columns.value(self.weights)),
            sum_log_weights=None if self.weights is None else self.columns.n * moments[_LOGARITHM].mean,
        )
        sums, plain = collect(pieces, limits)
        known = [moments[name] for name in (_RESPONSE, _WEIGHTS, _LOGARITHM) if name in moments]
        fingerprint = tuple(value for one in known for value in one.fingerprint)
        y = moments[_RESPONSE]
        binary = y.truth and y.low < y.high
        given = summaries(self.columns, predictors, moments), self.weights, self.offset, self.contrasts, self.constants
        counted = self.columns.are_counts(self._number(self.parsed.response, "The response")[1], y)
        source = RemoteSource(*given, location, fingerprint, binary, self.columns.database.stamps, counted)
        design = self._design(pieces, plain, source)
        squares = self.columns.n * (y.mean**2 + y.deviation**2)
        sizes = Sizes(y.size, squares, np.linalg.norm(plain.x_root, axis=0))
        check_sizes(design, sizes)
        problem = aggregated_problem(sums, limits.mapped)
        if (term := like_residual(problem)) is not None:
            raise checks.like_the_residual(term, problem.n)
        return Aggregated(design, problem, sizes)

    def _predictors(self) -> list[str]:
        """Columns of the fixed part and of the offset."""
        texts = [self.parsed.fixed.text, *(offset.code for offset in self.parsed.offsets)]
        names = [self.parsed.names[alias] for text in texts for alias in aliases_in(text)]
        return list(dict.fromkeys(names if self.offset is None else [*names, self.offset]))

    def _terms(self) -> tuple[tuple[RandomTerm, ...], tuple[TermEncoding, ...], tuple[EncodedSide, ...]]:
        """Random-effects terms in formula order, how to repeat them, and their sides."""
        groupings: dict[tuple[Atom, ...], Grouping] = {}
        terms, encodings, sides = [], [], []
        for bar in self.parsed.bars:
            if bar.joint is not None:
                raise DataError(
                    f"{bar.text!r} needs the rows of the data in memory, since only sums over the levels of single "
                    "factors are read: read the columns that are used into a data frame first."
                )
            side = self.reader.side(bar.effects)
            for atoms in bar.groups:
                if atoms not in groupings:
                    groupings[atoms] = self._grouping(atoms)
                for j in range(len(side.encoder.names)) if bar.uncorrelated else (None,):
                    encoding = TermEncoding(side.encoder, j, groupings[atoms])
                    levels = groupings[atoms].levels
                    terms.append(RandomTerm.without_rows(groupings[atoms].name, encoding.names, levels))
                    encodings.append(encoding)
                    sides.append(side)
        checks.check_duplicates(terms, [frozenset(atom.code for atom in e.grouping.atoms) for e in encodings])
        return tuple(terms), tuple(encodings), tuple(sides)

    def _grouping(self, atoms: tuple[Atom, ...]) -> Grouping:
        keys = self.columns.keys_of(atoms)
        factors = [self.columns.factors[key] for key in keys]
        found = self.columns.combinations[keys] if len(keys) > 1 else [factor.codes for factor in factors]
        values = {
            atom.code: (codes.astype(np.intp), factor.levels)
            for atom, codes, factor in zip(atoms, found, factors, strict=True)
        }
        return Grouping.fit(atoms, values)[0]

    def _translated(self, code: str, label: str) -> Any:
        return translate(code, label, self.reader.translation)

    def _crossed(self, groups: Sequence[tuple[Atom, ...]]) -> list[frozenset[str]]:
        """Keys of the factors of two groupings whose pairs may occur once each, where these need not be grouped."""
        if not self.columns.database.is_local:
            return []
        keys = [frozenset(self.columns.keys_of(atoms)) for atoms in groups]
        both = dict.fromkeys(a | b for a, b in itertools.combinations(keys, 2))
        sizes = {one: math.prod(len(self.columns.factors[key].levels) for key in one) for one in both}
        return [one for one, size in sizes.items() if may_hardly_repeat(size, self.columns.n)]

    def _numbers(
        self, others: Mapping[str, tuple[str, Any]], crossed: Sequence[frozenset[str]]
    ) -> dict[str, tuple[Number, Moments]]:
        """All numbers of the model, and `others`, with their moments."""
        offsets = {f"offset {i}": self._number(e, "The offset") for i, e in enumerate(self.parsed.offsets)}
        if self.offset is not None:
            offsets["offset"] = self._column(self.offset, "The offset")
        wanted = {_RESPONSE: self._number(self.parsed.response, "The response"), **offsets}
        if self.weights is not None:
            wanted[_WEIGHTS] = self._column(self.weights, "The weights")
            weight = as_number(wanted[_WEIGHTS][1])
            wanted[_LOGARITHM] = wanted[_WEIGHTS][0], (weight > 0).ifelse(weight.ln(), 0.0)
        response = as_number(wanted[_RESPONSE][1])
        for _, value in offsets.values():
            response = response - as_number(value)
        wanted[_LESS_OFFSET] = wanted[_RESPONSE][0], response
        return self.columns.numbers({**wanted, **self.reader.numbers, **others}, crossed)

    def _column(self, name: str, what: str) -> tuple[str, Any]:
        return self._numeric(self.columns.value(name), f"{what} {name!r}")

    def _number(self, expression: Expression, what: str) -> tuple[str, Any]:
        return self._numeric(self._translated(expression.code, expression.label), f"{what} {expression.label!r}")

    @staticmethod
    def _numeric(value: Any, subject: str) -> tuple[str, Any]:
        if not hasattr(value, "type"):
            raise DataError(f"{subject} gives one value for all rows: use a column in it.")
        if sort_of_type(value.type()) not in (Sort.NUMBERS, Sort.TRUTH):
            raise DataError(f"{subject} is not numeric but {value.type()}: convert it in the source.")
        return subject, value

    def _check(self, terms: tuple[RandomTerm, ...], moments: Mapping[str, Moments]) -> None:
        """Refuse what cannot be estimated, in the words that data in memory get."""
        label, y = self.parsed.response.label, moments[_RESPONSE]
        if y.low == y.high:
            raise DataError(
                f"The response {label!r} is constant ({y.low:g} in all {self.columns.n} rows): there is nothing to fit."
            )
        weights = moments.get(_WEIGHTS)
        if weights is not None and weights.low <= 0:
            raise DataError(
                f"The weights {self.weights!r} must be positive and finite, but the least is {weights.low:g}: remove "
                "these rows or correct them."
            )
        for term in terms:
            checks.check_levels(term)

    def _design(self, pieces: Pieces, plain: PlainSums, source: RemoteSource) -> Design:
        encoder = pieces.fixed.encoder
        return Design(
            formula=self.formula,
            response=self.parsed.response.label,
            y=ELSEWHERE,
            X=ELSEWHERE,
            x_names=encoder.names,
            x_terms=encoder.terms,
            terms=pieces.terms,
            weights=None if self.weights is None else ELSEWHERE,
            offset=ELSEWHERE if self.parsed.offsets or self.offset is not None else None,
            index=ELSEWHERE,
            nmissing=self.columns.total - self.columns.n,
            missing=self.columns.missing,
            encoding=Encoding(self.parsed, encoder, pieces.encodings, self.offset, self.constants, self.columns.sorts),
            source=source,
            plain=plain,
        )
