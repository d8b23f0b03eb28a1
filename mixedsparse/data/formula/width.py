"""How many columns a side will have, and whether they fit into memory, told from counts before anything is made."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.core.choose.memory import check_memory
from mixedsparse.data.formula.sparse_sides import density
from mixedsparse.ground.limits import LIMITS, Limits

if TYPE_CHECKING:
    from mixedsparse.data.formula.contrasts import Coding

__all__ = ["check_width", "is_wide"]

# Arrays of the size of the matrix that making it, its orthonormal basis and its cross-products hold at once.
_ARRAYS = 4
# Bytes below which nobody is asked how much there is, and levels from which on a factor counts as wide.
_SMALL, _WIDE = 2.0**26, 50
# Square matrices of the size of the cross-products that a fit with many columns holds at once, and bytes of a number
# that is not 0 in all of its copies.
_SQUARES, _SPARSE_BYTES = 8, 64
# Contrasts that join many levels.
_JOINING = re.compile(r"helmert|poly|diff|custom|Helmert|Poly|Diff|Custom|\[")
_COERCED = re.compile(r"C\(\s*(_ms\d+v)\s*[,)]")


def check_width(
    side: Any,
    codings: Mapping[str, Coding],
    values: Mapping[str, Any],
    n: int,
    needed: Callable[[int], float] | None = None,
    may_be_sparse: bool = False,
) -> bool:
    """Refuse a side whose matrix does not fit into memory; see `mixedsparse.data.formula.encoders.fit_encoder`.

    Returns whether only the numbers that are not 0 should be made of it.

    Parameters
    ----------
    side : Side
    codings, values
        As there.
    n : int
        Number of rows.
    needed : callable, optional
        Number of columns to bytes, where it is not the matrix that takes them.
    may_be_sparse : bool
        Whether a wide matrix may have its numbers that are not 0 only.

    Raises
    ------
    BackendError
        The message has the number, and the mend.
    """
    widths: dict[str, int] = {}
    filled: dict[str, float] = {}
    for term in side.formula:
        for factor in term.factors:
            if factor.expr not in widths:
                widths[factor.expr] = _width(factor.expr, codings, values)
                filled[factor.expr] = _filled(factor.expr, codings, widths[factor.expr])
    columns = sum(math.prod(widths[factor.expr] for factor in term.factors) for term in side.formula)
    size = _ARRAYS * 8.0 * n * columns if needed is None else needed(columns)
    sparse = False
    if may_be_sparse and is_wide(columns, n):
        numbers = n * sum(math.prod(filled[factor.expr] for factor in term.factors) for term in side.formula)
        small = 8.0 * _SQUARES * columns**2 + _SPARSE_BYTES * numbers
        sparse, size = small < size, min(small, size)
    if size < _SMALL:
        return sparse
    widest = max(widths, key=widths.__getitem__)
    mend = "write the rows to a Parquet file and fit that, since its rows are not read into memory"
    if widths[widest] > _WIDE:
        called = _COERCED.match(widest)
        factor = side.names[called[1] if called else widest]
        mend = (
            f"make {factor!r}, which has {widths[widest]:,} levels, a grouping factor, as in '(1 | {factor})', or give "
            "it fewer levels"
        )
        if needed is None:
            mend += "; or write the rows to a Parquet file and fit that, which takes their sums only"
    check_memory(size, f"The columns of {side.label!r}, {columns:,} in {n:,} rows,", mend)
    return sparse


def is_wide(columns: int, n: int, limits: Limits | None = None) -> bool:
    """Whether a matrix (n, columns) is so large that its zeros are worth leaving out."""
    limits = LIMITS if limits is None else limits
    return columns >= limits.wide_columns and _ARRAYS * 8.0 * n * columns >= limits.wide_bytes


def _filled(expression: str, codings: Mapping[str, Coding], width: int) -> float:
    """Numbers per row of a factor of a term that are not 0."""
    if expression in codings:
        return density(codings[expression])
    return float(width) if _JOINING.search(expression) else min(2.0, width)


def _width(expression: str, codings: Mapping[str, Coding], values: Mapping[str, Any]) -> int:
    """Columns that a factor of a term makes at most, as far as that can be told before it is evaluated."""
    if expression in codings:
        return len(codings[expression].levels)
    called = _COERCED.match(expression)
    if called is None or called[1] not in values:
        return 1
    found = values[called[1]]
    return len(found.categories) if isinstance(found, pd.Categorical) else len(pd.unique(found))
