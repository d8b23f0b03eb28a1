"""Rows to predict or simulate, in the encoding of the fit: its own rows, or those of new data."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.choose.memory import check_memory
from mixedsparse.core.problem.slots import spread_rows
from mixedsparse.core.problem.sparse_columns import SparseColumns, columns_of
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.alignment import aligned
from mixedsparse.data.formula.columns import complete_rows
from mixedsparse.data.formula.frames import Table, natural, open_table, take
from mixedsparse.data.formula.newdata import Encoding, NewTerm
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError, DroppedColumnsWarning, OptionError
from mixedsparse.inference.estimability import estimable, null_space
from mixedsparse.prediction.residual_variances import variances_of

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = [
    "Rows",
    "check_known",
    "chosen_groups",
    "dense_rows",
    "per_row",
    "prior_weights",
    "read_rows",
    "row_weights",
]

# Rows that are looked at together, and copies of rows that their variances take.
_ROWS, _COPIES = 2000, 4


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a model's matrices.

    Attributes
    ----------
    X : ndarray or SparseColumns, shape (r, p)
        Columns that the fit kept; NaN where a variable is missing.
    terms : tuple of NewTerm or None
        In theta order; None where a term's grouping factor was not asked for.
    offset : ndarray, shape (r,), or None
    index : pandas.Index, length r
    table : Table or None
        The new data; None for the rows of the fit.
    """

    X: np.ndarray | SparseColumns
    terms: tuple[NewTerm | None, ...]
    offset: np.ndarray | None
    index: pd.Index
    table: Table | None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.X)

    def means(self, parameters: Parameters, groups: Collection[str]) -> np.ndarray:
        """X beta + offset + Z b (r,) over the random effects of `groups`, in units of y; an unseen level adds 0."""
        out = self.X @ parameters.beta
        for term, new, modes in zip(parameters.problem.terms, self.terms, parameters.modes, strict=True):
            if term.group in groups:
                assert new is not None
                out += np.where(new.missing, np.nan, spread_rows(new.codes, new.z, modes))
        return out if self.offset is None else out + self.offset


def chosen_groups(parameters: Parameters, random: str | Sequence[str]) -> tuple[str, ...]:
    """Return the grouping factors whose random effects `random` keeps: all, none ("population"), or those named."""
    known = tuple(parameters.ngroups)
    if isinstance(random, str) and random in ("conditional", "population"):
        return known if random == "conditional" else ()
    names = (random,) if isinstance(random, str) else tuple(random)
    for name in names:
        if name not in known:
            raise OptionError(
                f"random={name!r} is no grouping factor of the model; use 'conditional', 'population', or a list of "
                f"names among: {', '.join(map(repr, known))}."
            )
    return names


def read_rows(
    parameters: Parameters, newdata: Any, needed: Collection[str], wanted: Collection[str], offset: Any
) -> Rows:
    """Encode `newdata`; None means the rows of the fit.

    Parameters
    ----------
    fitted : Fitted
    newdata : data frame or None
    needed : collection of str
        Grouping factors whose levels matter: their columns must be there.
    wanted : collection of str
        Further factors whose terms are encoded; where their columns are absent, levels count as missing.
    offset : str, array, number or None
        Added to what offsets in the formula say; an offset that the fit got as an argument does not count by itself.

    Raises
    ------
    DataError
        The data do not suit the formula.
    """
    if newdata is None:
        if offset is not None:
            raise OptionError("offset= belongs to newdata: the rows of the fit have their own.")
        return _own_rows(parameters, {*needed, *wanted})
    design, problem = parameters.design, parameters.problem
    table = open_table(newdata)
    if design.encoding is not None:
        table = _with_absent_groups(table, design.encoding, set(wanted) - set(needed))
        # An offset given to the fit as an argument belongs to its rows, as in lme4 and statsmodels.
        design = replace(design, encoding=replace(design.encoding, offset_column=None))
    new = design.matrices(table, groups=[*needed, *wanted], may_be_sparse=True)
    _warn_not_estimable(parameters, new.X)
    return Rows(
        X=columns_of(new.X, problem.basis.kept),
        terms=tuple(new.terms[i] for i in problem.order),
        offset=_total_offset(new.offset, table, offset),
        index=new.index,
        table=table,
    )


def check_known(parameters: Parameters, rows: Rows, groups: Collection[str], mend: str) -> None:
    """Refuse levels of `groups` that the fit has not seen; `mend` says what else can be done."""
    for term, new in zip(parameters.problem.terms, rows.terms, strict=True):
        if term.group in groups and new is not None and new.unseen:
            shown = ", ".join(map(repr, new.unseen[:8])) + (", ..." if len(new.unseen) > 8 else "")
            raise DataError(
                f"The grouping factor {term.group!r} has levels that the fit has not seen: {shown} "
                f"({len(new.unseen)} in all; the fit has {term.n_levels}). {mend}"
            )


def row_weights(parameters: Parameters, rows: Rows, weights: Any) -> np.ndarray | None:
    """Prior weights (r,) of `rows`, None when all are 1: `weights` if given, else as the fit was given them.

    Raises
    ------
    DataError
        The fit got its weights as an array, which says nothing of new rows.
    """
    if weights is None and rows.table is None:
        return parameters.weights
    variances = variances_of(parameters, rows.table)
    if variances is not None:
        own = prior_weights(parameters, rows, weights)
        return 1.0 / variances if own is None else own / variances
    return prior_weights(parameters, rows, weights)


def prior_weights(parameters: Parameters, rows: Rows, weights: Any) -> np.ndarray | None:
    """Weights (r,) that are given for rows, or that the fit was given."""
    design = parameters.design
    if weights is None and design.weights is not None:
        if rows.table is None:
            return design.weights
        weights = None if design.source is None else design.source.weights
        if not isinstance(weights, str):
            raise DataError(
                "The fit got its weights as an array, so those of new rows are not known: give weights=, one number, "
                "one per row, or a column's name (weights=1 for the residual variance sigma^2)."
            )
    return None if weights is None else per_row(weights, rows.table, rows.index, "weights")


def _own_rows(parameters: Parameters, groups: Collection[str]) -> Rows:
    """Return the rows of the fit itself, with the terms of `groups`."""
    design, problem = parameters.design, parameters.problem
    present = np.zeros(problem.n, dtype=bool)
    terms = tuple(NewTerm(t.z, t.codes, present, ()) if t.group in groups else None for t in problem.terms)
    return Rows(columns_of(design.X, problem.basis.kept), terms, design.offset, design.index, None)


def _with_absent_groups(table: Table, encoding: Encoding, optional: Collection[str]) -> Table:
    """Let columns that only the `optional` grouping factors use stand in as missing where they are absent."""
    names = encoding.parsed.names
    groupings = [term.grouping for term in encoding.terms]
    members = [(g.name, atom) for g in groupings for atom in (*g.atoms, *g.weights)]
    bare = {names[atom.alias] for name, atom in members if name in optional and atom.alias} - set(table.names)
    texts = [encoding.fixed.side.text, *(o.code for o in encoding.parsed.offsets)]
    texts += [term.encoder.side.text for term in encoding.terms]
    texts += [atom.code for name, atom in members if name not in optional or atom.alias is None]
    absent = bare - {names[alias] for text in texts for alias in aliases_in(text)} - {encoding.offset_column}
    if not absent:
        return table
    nothing = np.full(table.n, None, dtype=object)
    return replace(
        table,
        names=(*table.names, *absent),
        column=lambda name: nothing if name in absent else table.column(name),
    )


def _total_offset(known: np.ndarray | None, table: Table, given: Any) -> np.ndarray | None:
    """Offset of new rows: what the formula says, plus what is `given`."""
    if given is None:
        return known
    more = per_row(given, table, table.index, "offset")
    return more if known is None else known + more


def per_row(given: Any, table: Table | None, index: pd.Index, what: str) -> np.ndarray:
    """Numbers (n,) that an argument gives: one for all, one per row, or a column's name; NaN where missing."""
    n = len(index)
    if isinstance(given, str):
        if table is None:
            raise OptionError(f"{what}={given!r} names a column of newdata, and there are none: give numbers.")
        values: Any = table.read([given], f"{what}={given!r}")[given]
    else:
        values = as_array(aligned(given, index, what) if table is None else table.aligned(given, what), what)
        values = np.full(n, values) if values.ndim == 0 else values
        if values.shape != (n,):
            raise DataError(f"{what} has shape {values.shape}, but there are {n} rows: give one value per row.")
    keep, _ = complete_rows({what: values}, n)
    subject = f"The {what} {given!r}" if isinstance(given, str) else f"The {what}"
    check = checks.weights if what == "weights" else checks.offset
    found = check(natural(take(values, keep)), subject)
    if keep is None:
        return found
    out = np.full(n, np.nan)
    out[keep] = found
    return out


def dense_rows(X: np.ndarray | SparseColumns) -> np.ndarray:
    """Return rows of X (r, p) with their zeros.

    Raises
    ------
    BackendError
        They do not fit into memory.
    """
    if not isinstance(X, SparseColumns):
        return X
    rows, columns = X.shape
    mend = "give fewer rows of newdata at a time, or interval=None"
    check_memory(_COPIES * 8.0 * rows * columns, f"Intervals for {rows:,} rows of {columns:,} coefficients", mend)
    return np.asarray(X.toarray())


def _warn_not_estimable(parameters: Parameters, X: np.ndarray | SparseColumns) -> None:
    """Warn of rows of X (r, P) in which the columns that were left out do not depend on the others as in the fit."""
    if not parameters.dropped_columns:
        return
    null, broken = null_space(parameters), 0
    for start in range(0, len(X), _ROWS):
        rows = dense_rows(X[start : start + _ROWS])
        broken += int((~estimable(rows[np.isfinite(rows).all(axis=1)], null)).sum())
    if broken:
        warnings.warn(
            f"{broken} of {len(X)} new rows are not estimable: they break the linear dependency for which "
            f"{', '.join(parameters.dropped_columns)} was left out of X. Its coefficient is taken as 0 there.",
            DroppedColumnsWarning,
            stacklevel=user_level(),
        )
