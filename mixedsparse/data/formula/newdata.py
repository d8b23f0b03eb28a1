"""New data in the encoding of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.data.formula.columns import Columns, complete_rows
from mixedsparse.data.formula.encoders import Encoder
from mixedsparse.data.formula.frames import natural, open_table, take
from mixedsparse.data.formula.grouping import Atom, Grouping
from mixedsparse.data.formula.joint import JointGrouping, constant
from mixedsparse.data.formula.kinds import Sort, numbers
from mixedsparse.data.formula.outcomes import Outcome, read_outcome
from mixedsparse.data.formula.parse import Expression, ParsedFormula
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.data.formula.width import is_wide

__all__ = ["Encoding", "NewMatrices", "NewTerm", "TermEncoding", "encode_new", "encode_outcome", "encode_response"]


@dataclass(frozen=True, eq=False)
class TermEncoding:
    """One random-effects term: `column` of the encoder's matrix for ``||``, None for all of them."""

    encoder: Encoder
    column: int | None
    grouping: Grouping | JointGrouping

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the effects."""
        own = self.encoder.names if self.column is None else (self.encoder.names[self.column],)
        return self.grouping.effects(own)

    def by_column(self) -> list[TermEncoding]:
        """One for each column, as `column_terms` makes terms."""
        return [replace(self, column=j) for j in range(len(self.encoder.names))]


@dataclass(frozen=True, eq=False)
class Encoding:
    """How a fit encoded its data.

    `offset_column` is the column given as ``offset=``, if any; `sorts` says what the columns of sides and expressions
    held; `outcome` is how the response was read.
    """

    parsed: ParsedFormula
    fixed: Encoder
    terms: tuple[TermEncoding, ...]
    offset_column: str | None
    env: Mapping[str, Any]
    sorts: Mapping[str, Sort] | None = None
    outcome: Outcome | None = None

    @property
    def response_columns(self) -> list[str]:
        """Columns that the response is made of, with its trials or prior weights."""
        names = [self.parsed.names[alias] for alias in aliases_in(self.parsed.response.code)]
        prior = None if self.outcome is None else self.outcome.prior
        return names if prior is None else list(dict.fromkeys([*names, prior]))

    def columns(self, groups: Sequence[str] | None) -> list[str]:
        """Columns of the right side, with those of the grouping factors `groups` only (None: all)."""
        terms = [t for t in self.terms if groups is None or t.grouping.name in groups]
        texts = [self.fixed.side.text, *(o.code for o in self.parsed.offsets), *(t.encoder.side.text for t in terms)]
        texts += [atom.code for t in terms for atom in (*t.grouping.atoms, *t.grouping.weights)]
        return list(dict.fromkeys(self.parsed.names[alias] for text in texts for alias in aliases_in(text)))


@dataclass(frozen=True, eq=False)
class NewTerm:
    """One random-effects term on new rows.

    Parameters
    ----------
    z : ndarray, shape (n, k) or (n, slots, k)
        NaN where a variable of the effects is missing.
    codes : ndarray of int, shape (n,) or (n, slots)
        Training level of each row; -1 where it is missing or was not seen.
    missing : ndarray of bool, shape (n,)
        Whether the grouping factor is missing.
    unseen : tuple of str
        Levels that the fit has not seen.
    """

    z: np.ndarray
    codes: np.ndarray
    missing: np.ndarray
    unseen: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class NewMatrices:
    """A model's arrays on new rows.

    Parameters
    ----------
    X : ndarray or SparseColumns, shape (n, p)
        Fixed-effects design, NaN where a variable is missing.
    terms : tuple of NewTerm or None
        One entry per term of the design, None where it was not asked for.
    offset : ndarray, shape (n,), or None
        ``offset(...)`` terms plus the offset column; an offset that the fit got as an array is unknown here.
    index : pandas.Index, length n
        Index of the new data.
    """

    X: np.ndarray | SparseColumns
    terms: tuple[NewTerm | None, ...]
    offset: np.ndarray | None
    index: pd.Index


def encode_new(
    encoding: Encoding, newdata: Any, groups: Sequence[str] | None, may_be_sparse: bool = False
) -> NewMatrices:
    """See `Design.matrices`; a wide X has its numbers that are not 0 only, where it `may_be_sparse`."""
    table, parsed = open_table(newdata), encoding.parsed
    wanted = [t if groups is None or t.grouping.name in groups else None for t in encoding.terms]
    needed = encoding.columns(groups) + ([encoding.offset_column] if encoding.offset_column else [])
    raw = table.read(dict.fromkeys(needed), f"the formula {parsed.formula!r} (new data)")
    made: dict[int, np.ndarray] = {}  # terms of one bar, and bars with equal left sides, share their matrix

    def z_of(term: TermEncoding) -> np.ndarray:
        if id(term.encoder) not in made:
            made[id(term.encoder)] = _apply(term.encoder, raw, table.n, encoding)
        z = made[id(term.encoder)]
        return z if term.column is None else z[:, [term.column]]

    def new_term(term: TermEncoding) -> NewTerm:
        found = term.grouping.encode({atom.code: _atom(atom, raw, table.n, encoding) for atom in term.grouping.atoms})
        weights = [_weight(weight, raw, table.n, encoding) for weight in term.grouping.weights]
        return NewTerm(term.grouping.basis(z_of(term), weights), found.codes, found.missing, found.unseen)

    sparse = may_be_sparse and is_wide(len(encoding.fixed.names), table.n)
    return NewMatrices(
        (_apply_sparse if sparse else _apply)(encoding.fixed, raw, table.n, encoding),
        tuple(new_term(t) if t is not None else None for t in wanted),
        _offset(encoding, raw, table.n),
        table.index,
    )


def encode_response(encoding: Encoding, newdata: Any) -> np.ndarray:
    """Response (n,) of new rows, NaN where a variable is missing."""
    table, response = open_table(newdata), encoding.parsed.response
    needed = dict.fromkeys(encoding.parsed.names[alias] for alias in aliases_in(response.code))
    raw = table.read(needed, f"the response {response.label!r}")
    return _numbers(response, f"The response {response.label!r}", raw, table.n, encoding)


def encode_outcome(encoding: Encoding, newdata: Any) -> tuple[np.ndarray, np.ndarray]:
    """Response of new rows of a generalized model, proportions of a binomial one, and its trials or prior weights.

    Both (n,), NaN where a variable is missing.

    Raises
    ------
    DataError
        A response of two levels has another one.
    """
    table, outcome, label = open_table(newdata), encoding.outcome, encoding.parsed.response.label
    assert outcome is not None
    raw = table.read(encoding.response_columns, f"the response {label!r}")
    keep, _ = complete_rows(raw, table.n)
    n = table.n if keep is None else int(keep.sum())
    columns = Columns({c: take(v, keep) for c, v in raw.items()}, encoding.parsed.names, n, encoding.env)
    y, m = np.full((2, table.n), np.nan)
    if n:
        rows = slice(None) if keep is None else keep
        prior = None if outcome.prior is None else numbers(natural(take(raw[outcome.prior], keep)), outcome.prior)
        y[rows], m[rows] = read_outcome(columns.expression(encoding.parsed.response), label, outcome, prior)
    return y, m


def _numbers(expression: Expression, what: str, raw: Mapping[str, Any], n: int, encoding: Encoding) -> np.ndarray:
    """Values (n,) of an expression, NaN in incomplete rows."""
    keep, columns = _complete(expression.code, raw, n, encoding)
    found = numbers(columns.expression(expression), what) if columns.n else None
    return _scatter(found, keep, (n,))


def _complete(text: str, raw: Mapping[str, Any], n: int, encoding: Encoding) -> tuple[np.ndarray | None, Columns]:
    """Rows where nothing in `text` is missing, and the columns of `text` there."""
    names = {alias: encoding.parsed.names[alias] for alias in aliases_in(text)}
    keep, _ = complete_rows({name: raw[name] for name in names.values()}, n)
    columns = {name: take(raw[name], keep) for name in names.values()}
    return keep, Columns(columns, names, n if keep is None else int(keep.sum()), encoding.env, encoding.sorts or {})


def _apply(encoder: Encoder, raw: Mapping[str, Any], n: int, encoding: Encoding) -> np.ndarray:
    """Matrix (n, p) of `encoder`, NaN in incomplete rows."""
    keep, columns = _complete(encoder.side.text, raw, n, encoding)
    found = encoder.matrix(_coded(encoder, columns), columns.n) if columns.n else None
    return _scatter(found, keep, (n, len(encoder.names)))


def _apply_sparse(encoder: Encoder, raw: Mapping[str, Any], n: int, encoding: Encoding) -> SparseColumns:
    """Return the same; one NaN stands for a row of them."""
    keep, columns = _complete(encoder.side.text, raw, n, encoding)
    if not columns.n:
        none = SparseColumns((0, len(encoder.names)), dtype=float)
        return none if keep is None else none.spread(keep)
    found = encoder.sparse(_coded(encoder, columns), columns.n)
    return found if keep is None else found.spread(keep)


def _coded(encoder: Encoder, columns: Columns) -> dict[str, Any]:
    """Values of the aliases of a side, factors as the fit has coded them."""
    bare = set(encoder.side.bare)
    return {
        alias: columns.recode(alias, encoder.codings.get(alias)) if alias in bare else columns.natural(alias)
        for alias in (columns.names if columns.n else ())
    }


def _scatter(
    found: np.ndarray | None, keep: np.ndarray | None, shape: tuple[int, ...], dtype: type = float
) -> np.ndarray:
    """`found` at the rows `keep` of an array of NaN."""
    if found is not None and keep is None:
        return found
    out = np.full(shape, np.nan, dtype=dtype)
    if found is not None:
        out[keep] = found
    return out


def _atom(atom: Any, raw: Mapping[str, Any], n: int, encoding: Encoding) -> Any:
    """Column of a grouping factor, missing values kept."""
    if atom.alias:
        return raw[encoding.parsed.names[atom.alias]]
    keep, columns = _complete(atom.code, raw, n, encoding)
    values = columns.expression(Expression(atom.label, atom.code, None))
    return values if keep is None else _scatter(np.asarray(values, dtype=object), keep, (n,), object)


def _weight(weight: Atom, raw: Mapping[str, Any], n: int, encoding: Encoding) -> np.ndarray:
    """Weights (n,) of a membership, NaN in incomplete rows."""
    number = constant(weight)
    if number is not None:
        return np.full(n, number)
    expression = Expression(weight.label, weight.code, weight.alias)
    return _numbers(expression, f"The weight {weight.label!r}", raw, n, encoding)


def _offset(encoding: Encoding, raw: Mapping[str, Any], n: int) -> np.ndarray | None:
    expressions = encoding.parsed.offsets
    if not expressions and encoding.offset_column is None:
        return None
    total = np.zeros(n)
    for expression in expressions:
        total += _numbers(expression, f"The offset {expression.label!r}", raw, n, encoding)
    if encoding.offset_column is not None:
        keep, _ = complete_rows({encoding.offset_column: raw[encoding.offset_column]}, n)
        found = numbers(natural(take(raw[encoding.offset_column], keep)), f"The offset {encoding.offset_column!r}")
        total += _scatter(found, keep, (n,))
    return total
