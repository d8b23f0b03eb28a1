"""From a formula and a source to the design of a generalized model: only the rows that differ are read.

The database counts the rows that agree in every column of the model.

The log-likelihood of a binomial or a Poisson row is linear in its number of trials or weight, so that one row counted
several times says the same as several (see `mixedsparse.core.likelihood.laplace.collapse`). Rows of other families are
read one by one, and only the columns that the model uses.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.patterns import Patterns
from mixedsparse.core.problem.sums import PlainSums
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.beside import phrase
from mixedsparse.data.formula.columns import Columns
from mixedsparse.data.formula.design import Design
from mixedsparse.data.formula.frames import natural, open_table
from mixedsparse.data.formula.kinds import Sort
from mixedsparse.data.formula.newdata import Encoding, encode_new
from mixedsparse.data.formula.responses import Response, bind_columns, read_response
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.data.sources.coded import as_numpy
from mixedsparse.data.sources.design import Reading
from mixedsparse.data.sources.opening import location_of, open_source
from mixedsparse.data.sources.reading import column_argument
from mixedsparse.data.sources.remote import RemoteSource, moments_of, summaries, summarised
from mixedsparse.ground.progress import CountOption, counter

if TYPE_CHECKING:
    import pyarrow as pa

    from mixedsparse.data.families import Domain

__all__ = ["read_generalized"]

_COUNT = "_mixedsparse_count"
# Share of the rows up to which those that differ are worth finding in the database.
_SHARE = 0.5


def read_generalized(
    formula: str,
    data: Any,
    domain: Domain,
    collapses: bool,
    *,
    weights: Any = None,
    trials: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    progress: CountOption = None,
) -> Design:
    """Read the rows of a source that differ; see `mixedsparse.data.sources.design.aggregate`.

    Parameters
    ----------
    domain : {"events", "counts", "positive"}
        What the family is a distribution of.
    collapses : bool
        Whether rows of the family may be counted.
    trials : str, optional
        Column of numbers of trials.
    """
    database = open_source(data)
    given = {"weights": weights, "offset": offset, "trials": trials}
    beside = {what: column_argument(what, value) for what, value in given.items()}
    names = ChainMap({} if env is None else env, {"cbind": bind_columns})  # type: ignore[arg-type]
    with counter(progress, "aggregation") as note:
        database.watch(note)
        reading = _GeneralizedReading(formula, database, beside, contrasts, names)
        return reading.design(domain, collapses, location_of(data))


class _GeneralizedReading(Reading):
    """One formula on one source: levels and moments first, then the rows that differ."""

    def __init__(self, formula: str, database: Any, beside: Mapping[str, str | None], *others: Any) -> None:
        super().__init__(formula, database, beside, *others)
        self.trials = beside["trials"]

    def design(self, domain: Domain, collapses: bool, location: str | None) -> Design:
        """Design without rows, with `patterns`."""
        side = self.reader.side(self.parsed.fixed)
        fixed, predictors = side.encoder, self._predictors()
        bare, encodings, _ = self._terms()
        for term in bare:
            checks.check_levels(term)
        self.columns.database.expect(3)
        offsets = {f"offset {i}": self._number(e, "The offset") for i, e in enumerate(self.parsed.offsets)}
        if self.offset is not None:
            offsets["offset"] = self._column(self.offset, "The offset")
        others = summarised(self.columns, predictors, set(side.sources.values()))
        found = self.columns.numbers({**self.reader.numbers, **offsets, **others})
        moments = {name: moment for name, (_, moment) in found.items()}
        self.reader.finish(moments)
        rows, counts = self._rows(collapses)
        response = self._response(rows, domain, counts)
        outcome = response.outcome.with_prior(self.weights if self.trials is None else self.trials)
        given = self.offset, self.constants, self.columns.sorts, outcome
        encoding = Encoding(self.parsed, fixed, encodings, *given)
        weights = None
        if self.weights is not None:
            weights = checks.weights(self._values(rows, self.weights), phrase("weights", self.weights))
        new = encode_new(encoding, self._coded(rows), None)
        checks.check_finite(new.X, fixed.names)
        terms = tuple(
            RandomTerm(t.group, one.codes, one.z, t.columns, t.levels)
            for t, one in zip(bare, new.terms, strict=True)
            if one is not None
        )
        for term in terms:
            checks.check_size(term, None, residual=False)
        m = response.trials if response.trials is not None else weights
        patterns = Patterns(
            y=response.values if response.trials is None else response.values / response.trials,
            m=np.ones(len(counts)) if m is None else m,
            offset=np.zeros(len(counts)) if new.offset is None else new.offset,
            X=new.X,
            terms=terms,
            counts=counts,
        )
        prior = [] if weights is None else [weights, np.log(weights)]
        prior += [] if response.trials is None else [response.trials]
        source = RemoteSource(
            summaries=summaries(self.columns, predictors, moments),
            weights=self.weights,
            offset=self.offset,
            contrasts=self.contrasts,
            env=self.constants,
            location=location,
            fingerprint=moments_of([response.values, *prior], counts),
            stamps=self.columns.database.stamps,
        )
        return Design(
            formula=self.formula,
            response=response.label,
            y=ELSEWHERE,
            X=ELSEWHERE,
            x_names=fixed.names,
            x_terms=fixed.terms,
            terms=bare,
            weights=None if weights is None else ELSEWHERE,
            offset=None if new.offset is None else ELSEWHERE,
            index=ELSEWHERE,
            nmissing=self.columns.total - self.columns.n,
            missing=self.columns.missing,
            encoding=encoding,
            source=source,
            plain=_plain_sums(patterns, response),
            trials=None if response.trials is None else ELSEWHERE,
            patterns=patterns,
        )

    def _rows(self, collapses: bool) -> tuple[pa.Table, np.ndarray]:
        """Rows of the columns that the model uses, and how many observations each stands for."""
        names, table = list(self.columns.used), self.columns.table
        if not (collapses and self._repeats(names)):
            rows = self.columns.database.read(table.select(*names))
            self.columns.note_rows(rows.num_rows)
            return rows, np.ones(rows.num_rows)
        counted = table.group_by(names).aggregate(**{_COUNT: table.count()}).order_by(names)
        rows = self.columns.database.read(counted)
        counts = as_numpy(rows, _COUNT).astype(float)
        self.columns.note_rows(int(counts.sum()))
        return rows.drop_columns([_COUNT]), counts

    def _repeats(self, names: Sequence[str]) -> bool:
        """Whether rows agree so often that it pays to count them in the database.

        A database that is not in this process counts in any case: fewer rows have to travel.
        """
        if not self.columns.database.is_local:
            return True
        key, table = 0, self.columns.table
        for i, name in enumerate(names):
            key = key + (table[name].hash() % 2**40) * (2 * i + 1)
        found = self.columns.database.read(table.aggregate(patterns=key.approx_nunique()))
        return int(found["patterns"][0].as_py()) <= _SHARE * self.columns.n

    def _response(self, rows: pa.Table, domain: Domain, counts: np.ndarray) -> Response:
        parsed = self.parsed
        raw = {parsed.names[a]: self._values(rows, parsed.names[a]) for a in aliases_in(parsed.response.code)}
        if parsed.response.alias is not None:
            (column,) = raw
            if self.columns.sorts[column] is Sort.TEXT:
                raw[column] = pd.Categorical(raw[column], categories=self.columns.column_factor(column).levels)
        columns = Columns(raw, parsed.names, len(counts), self.constants)
        trials = None if self.trials is None else self._values(rows, self.trials)
        label, told = parsed.response.label, phrase("trials", self.trials)
        return read_response(columns.expression(parsed.response), label, domain, trials, told, counts)

    @staticmethod
    def _values(rows: pa.Table, name: str) -> Any:
        """Values of a column in their plain type."""
        return natural(open_table(rows).column(name))

    def _coded(self, rows: pa.Table) -> pa.Table:
        """Rows with codes in place of the text of columns that are grouping factors and nothing else."""
        import pyarrow as pa

        parsed = self.parsed
        texts = [parsed.fixed.text, *(bar.effects.text for bar in parsed.bars), *(o.code for o in parsed.offsets)]
        atoms = {atom for bar in parsed.bars for group in bar.groups for atom in group}
        texts += [atom.code for atom in atoms if atom.alias is None]
        others = {parsed.names[alias] for text in texts for alias in aliases_in(text)}
        for column in {parsed.names[atom.alias] for atom in atoms if atom.alias is not None} - others:
            at = rows.column_names.index(column)
            if pa.types.is_string(rows.schema.field(at).type) or pa.types.is_large_string(rows.schema.field(at).type):
                rows = rows.set_column(at, column, rows.column(at).combine_chunks().dictionary_encode())
        return rows


def _plain_sums(patterns: Patterns, response: Response) -> PlainSums:
    """Take the sums over all observations; the first row of the root of X'X holds the means."""
    roots, n = np.sqrt(patterns.counts)[:, None], patterns.n
    both = np.column_stack([np.ones(len(roots)), patterns.X]) * roots
    moments = tuple((term.z * roots).T @ (term.z * roots) / n for term in patterns.terms)
    trials = response.trials
    several = None if trials is None or trials.max() <= 1 else int(trials @ patterns.counts)
    return PlainSums(np.asarray(np.linalg.qr(both, mode="r"))[:, 1:], moments, trials=several)
