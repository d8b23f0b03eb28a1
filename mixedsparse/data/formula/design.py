"""From a formula and a data frame to the arrays of a linear mixed model."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.core.problem.patterns import Patterns
from mixedsparse.core.problem.sparse_columns import SparseColumns, is_sparse
from mixedsparse.core.problem.sums import PlainSums
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula import checks
from mixedsparse.data.formula.beside import given_values, phrase, total_offset
from mixedsparse.data.formula.coded import code_sides
from mixedsparse.data.formula.columns import Columns, complete_rows
from mixedsparse.data.formula.contrasts import Coding, Contrast, check_used, read_contrasts
from mixedsparse.data.formula.encoders import fit_encoder
from mixedsparse.data.formula.frames import Table, column_error, natural, open_table, take
from mixedsparse.data.formula.names import caller_names, candidates
from mixedsparse.data.formula.newdata import Encoding, NewMatrices, encode_new
from mixedsparse.data.formula.numpy_names import check_attributes
from mixedsparse.data.formula.parse import ParsedFormula, UnknownNames, parse
from mixedsparse.data.formula.random_terms import random_terms, related_factors
from mixedsparse.data.formula.residual import ResidualSide, request_of
from mixedsparse.data.formula.responses import bind_columns, read_response
from mixedsparse.data.formula.source import Source
from mixedsparse.data.observed import Rows, Sums
from mixedsparse.data.relations import read_relations
from mixedsparse.ground.errors import DataError, FormulaError

if TYPE_CHECKING:
    from mixedsparse.data.families import Domain

__all__ = ["Design", "factor_columns", "make_design"]


@dataclass(frozen=True, eq=False)
class Design:
    """The arrays of a linear mixed model, and how to repeat them on new data.

    Parameters
    ----------
    formula : str
        As typed.
    response : str
        Left side as typed.
    y : ndarray, shape (n,)
        Response; the offset is not subtracted. Numbers of events of a binomial model.
    X : ndarray or SparseColumns, shape (n, p)
        Fixed-effects design.
    x_names : tuple of str, length p
        Names of the columns of X: ``Intercept``, ``Days``, ``service[T.1]``, ``A[S.a]:B[S.x]``.
    x_terms : dict
        Columns of each term, ``{"1": slice(0, 1), "A:B": slice(1, 5)}``.
    terms : tuple of RandomTerm
        In the order of the formula; ``a/b`` is two terms, ``||`` one term per column.
    weights, offset : ndarray, shape (n,), or None
    index : pandas.Index, length n
        Index of the data, kept rows only.
    nmissing : int
        Number of rows left out because a variable used was missing.
    missing : dict
        Number of missing values in each column that has any.
    encoding : Encoding
        What `matrices` needs.
    source : Source
        Columns and arguments that the design was made from.
    plain : PlainSums, optional
        Given where the rows are not in memory.
    trials : ndarray, shape (n,), or None
        Of a binomial model.
    patterns : Patterns, optional
        Of a generalized model whose rows stay elsewhere.
    residual : ResidualSide, optional
        Covariance of the residuals where they are not independent with one variance.
    """

    formula: str
    response: str
    y: np.ndarray
    X: np.ndarray | SparseColumns
    x_names: tuple[str, ...]
    x_terms: Mapping[str, slice]
    terms: tuple[RandomTerm, ...]
    weights: np.ndarray | None
    offset: np.ndarray | None
    index: pd.Index
    nmissing: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    encoding: Encoding | None = None
    source: Source | None = None
    plain: PlainSums | None = None
    trials: np.ndarray | None = None
    patterns: Patterns | None = None
    residual: ResidualSide | None = None

    @cached_property
    def observed(self) -> Rows | Sums:
        """Rows, or sums over them where the rows stay elsewhere: what can be asked of either."""
        if self.plain is not None:
            return Sums(self.plain, self.source)
        return Rows(self.y, self.X, self.terms, self.offset, self.weights)

    def matrices(
        self, newdata: Any, *, groups: Sequence[str] | None = None, may_be_sparse: bool = False
    ) -> NewMatrices:
        """Encode `newdata` exactly as the training data were encoded.

        Parameters
        ----------
        newdata : data frame
            Needs the columns of the right side, not the response.
        groups : sequence of str, optional
            Grouping factors wanted, by name; all by default. Columns that only other terms use may be absent.
        may_be_sparse : bool
            Whether a wide X, of a fit that kept the numbers of its own that are not 0 only, may be as sparse.

        Returns
        -------
        NewMatrices
            A row for each row of `newdata`; NaN where a variable is missing.

        Raises
        ------
        DataError
            A fixed factor has a level that the fit has not seen, or a column is absent or of another kind.
        """
        if self.encoding is None:
            raise DataError(
                "The model was made from arrays, so new data have no meaning for it: give matrices instead."
            )
        has_wide = is_sparse(self.X) or (self.plain is not None and self.patterns is None)
        return encode_new(self.encoding, newdata, groups, may_be_sparse and has_wide)


def make_design(
    formula: str,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    relations: Mapping[str, Any] | None = None,
    domain: Domain | None = None,
    trials: Any = None,
    residual: str | None = None,
    dispersion: str | None = None,
) -> Design:
    """Turn `formula` and `data` into the arrays of a mixed model.

    Parameters
    ----------
    formula : str
        ``response ~ fixed + (effects | group)``; see below.
    data : data frame
        pandas, polars or pyarrow table, dict of columns, or what narwhals reads; only the columns used are converted.
    weights, offset : str or array_like of shape (rows of data,), optional
        Column name or values: prior weights (positive), and a known summand of the mean in units of y.
    contrasts : dict, optional
        ``{"column": "treatment" | "sum" | "helmert" | "poly" | array (levels, levels - 1) | DataFrame}`` for the fixed
        part and the left of every bar, also inside ``C(column)``. A numeric column named here becomes a factor.
    env : Mapping, optional
        Names of the caller that the formula may use: functions, constants, and arrays with a value per row.
    relations : dict, optional
        Known relationships of the factors in ``rel(...)``: ``{"animal": ms.Pedigree(frame)}``, a labelled DataFrame, or
        ``ms.Precision(P, levels)``.
    domain : {"events", "counts", "positive"}, optional
        What the family of a generalized model is a distribution of; a linear model takes any number.
    trials : str or array_like of shape (rows of data,), optional
        Of a binomial model: column name or numbers of trials.
    residual, dispersion : str, optional
        Covariance of the residuals; see `mixedsparse.LinearMixedModel`.

    Raises
    ------
    FormulaError
        The formula cannot be read, or has duplicate terms.
    ColumnError
        A column is not in the data.
    DataError
        The data cannot support the model: nothing left, constant or non-numeric response, values that are not finite,
        a factor with one level, as many random effects as rows.

    The fixed part and the left of each bar are formulaic's language; grouping factors never reach formulaic. Rows
    with a missing value in any variable used are dropped before transforms such as ``poly(x, 2)`` are fitted.

    Examples
    --------
    >>> data = {"y": [1.0, 2.0, 4.0, 3.0], "x": [0, 1, 0, 1], "g": ["a", "a", "b", "b"]}
    >>> design = make_design("y ~ x + (1 | g)", data)
    >>> design.x_names, design.terms[0].levels.tolist()
    (('Intercept', 'x'), ['a', 'b'])
    """
    table = open_table(data)
    known_names = {} if env is None else env
    bars = residual is None and dispersion is None
    names = ChainMap(known_names, {"cbind": bind_columns}) if domain else known_names
    parsed, outer = _parse(formula, table, names, bars)
    request = request_of(residual, dispersion, lambda text, used: _parse(text, table, known_names, False, used))
    if domain is not None:
        checks.check_plain_bars(parsed)
    arrays = {name: np.asarray(table.aligned(outer[name], repr(name))) for name in parsed.columns if name in outer}
    functions = {name: value for name, value in outer.items() if name not in arrays}
    raw = table.read([c for c in parsed.columns if c not in arrays], f"the formula {formula!r}") | arrays
    beside = {"weights": weights, "offset": offset, "trials": trials}
    given = {what: value for what, value in beside.items() if value is not None}
    keys = {what: value if isinstance(value, str) else f"{what}=" for what, value in given.items()}
    extra = {keys[what]: given_values(what, value, table) for what, value in given.items()}
    aside = {} if request is None else table.read(request.columns, request.text_of_columns)
    keep, missing = complete_rows(raw | extra | aside, table.n)
    n = table.n if keep is None else int(keep.sum())
    if n == 0:
        raise checks.nothing_left(table.n, missing)
    columns = Columns({c: take(v, keep) for c, v in raw.items()}, parsed.names, n, functions)
    known = {what: natural(take(extra[key], keep)) for what, key in keys.items()}
    named = {value: take(extra[value], keep) for value in given.values() if isinstance(value, str)}
    arguments = [v if isinstance(v, str) else known.get(w) for w, v in (("weights", weights), ("offset", offset))]
    index = table.index if keep is None else table.index[keep]
    coded = read_contrasts(contrasts)
    values, codings = _code_bare(parsed, columns, coded, table)
    plain = domain is None and request is None
    fixed, X = fit_encoder(parsed.fixed, values, codings, n, functions, may_be_sparse=plain)
    checks.check_finite(X, fixed.names)
    known_relations = read_relations(relations, related_factors(parsed))
    terms, encodings = random_terms(parsed, columns, values, codings, known_relations)
    prior = checks.weights(known["weights"], phrase("weights", weights)) if "weights" in known else None
    for term in terms:
        checks.check_size(term, prior, residual=plain)
        if domain:
            checks.check_unstructured(term)
    kept_aside = {name: take(value, keep) for name, value in aside.items()}
    side = None if request is None else request.build(aside, keep, n, terms, coded)
    for term in terms if side is not None and side.takes_noise else ():
        checks.check_size(term, prior)
    label, y = parsed.response.label, columns.expression(parsed.response)
    found = read_response(y, label, domain, known.get("trials"), phrase("trials", trials))
    how = offset if isinstance(offset, str) else None, functions, columns.sorts
    outcome = found.outcome.with_prior(weights if trials is None else trials)
    return Design(
        formula=formula,
        response=found.label,
        y=found.values,
        X=X,
        x_names=fixed.names,
        x_terms=fixed.terms,
        terms=terms,
        weights=prior,
        offset=total_offset(parsed, columns, known.get("offset"), phrase("offset", offset)),
        index=index,
        nmissing=table.n - n,
        missing=missing,
        encoding=Encoding(parsed, fixed, encodings, *how, outcome),
        source=Source(named | kept_aside | columns.raw, index, *arguments, contrasts, functions, known_relations),
        trials=found.trials,
        residual=side,
    )


def _parse(
    formula: Any, table: Table, env: Mapping[str, Any], bars_needed: bool = True, used: str = ""
) -> tuple[ParsedFormula, dict[str, Any]]:
    """Read `formula` for the columns of `table`; also return the names it takes from `env`.

    An array of the caller with one value per row counts as a column.
    """
    if not isinstance(formula, str):
        raise FormulaError(f"The formula must be text such as 'y ~ x + (1 | g)', not of type {type(formula).__name__}.")
    present = tuple(name for name in candidates(formula) if name in table.names)
    outer = caller_names(formula, present, env)
    if "." in formula or "__" in formula or "np" in formula:
        check_attributes(formula, present, outer)
    arrays = tuple(name for name, value in outer.items() if np.ndim(value) == 1 and len(value) == table.n)
    try:
        functions = tuple(name for name in outer if name not in arrays)
        return parse(formula, present + arrays, functions, bars_needed), outer
    except UnknownNames as err:
        raise column_error(err.names, table.names, used or f"the formula {formula!r}") from None


def factor_columns(formula: str, table: Table, env: Mapping[str, Any]) -> frozenset[str]:
    """Columns of `table` that are terms of `formula`, alone or in ``C(...)``: those that may have contrasts."""
    parsed = _parse(formula, table, env, bars_needed=False)[0]
    return frozenset(column for column, own in parsed.factors.items() if own is None)


def _code_bare(
    parsed: ParsedFormula, columns: Columns, contrasts: Mapping[str, Contrast], table: Table
) -> tuple[dict[str, Any], dict[str, Coding]]:
    """Values of every alias on the fixed side and left of the bars, and the codings of factors."""
    if contrasts:
        check_used(contrasts, table.names, parsed.factors)
    return code_sides((parsed.fixed, *(bar.effects for bar in parsed.bars)), columns, contrasts)
