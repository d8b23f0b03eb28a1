"""Data frames and formulas of `mixedlm` to a design and its structure."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.compat.arguments import check_missing, refuse_missing
from mixedsparse.compat.components import GROUP
from mixedsparse.compat.formulas import translate
from mixedsparse.compat.labels import formula_structure, single_columns
from mixedsparse.compat.structure import Structure
from mixedsparse.data.formula.checks import nothing_left
from mixedsparse.data.formula.design import Design, make_design
from mixedsparse.data.formula.frames import Table, open_table, take
from mixedsparse.data.formula.names import candidates
from mixedsparse.data.formula.patsy import patsy_functions
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError

__all__ = ["read_frame"]


def read_frame(
    formula: str,
    data: Any,
    groups: Any,
    re_formula: str | None,
    vc_formula: Mapping[str, str] | None,
    subset: Any,
    missing: str,
    env: Mapping[str, Any],
) -> tuple[Design, Structure]:
    """Design and structure of statsmodels' formulas; see `mixedsparse.mixedlm` for the arguments."""
    check_missing(missing)
    texts = (formula, re_formula, *(vc_formula or {}).values())
    taken = {name for text in texts if isinstance(text, str) for name in candidates(text)}
    table, column, name = _with_groups(open_table(data), groups, taken)
    table = _chosen(table, subset)
    if table.n == 0:
        raise nothing_left(0, {})
    env = ChainMap(patsy_functions(env), env)
    translation = translate(formula, column, table, re_formula, vc_formula, env)
    design = make_design(translation.formula, table, env=env)
    if missing != "drop":
        refuse_missing(design.missing, table.n)
    design = single_columns(design, translation)
    only = None if translation.group else table.column(column)[0]
    return design, formula_structure(design, translation, formula, name, only)


def _with_groups(table: Table, groups: Any, taken: Collection[str]) -> tuple[Table, str, str]:
    """`table` with the groups in it, their column, and their name to statsmodels: of the column, or ``Group``.

    The column of a Series goes by its own name, so that new data need no other, unless that means something else among
    the columns or the names that the formulas have `taken`.
    """
    if isinstance(groups, str):
        table.read([groups], f"groups={groups!r}")
        return table, groups, groups
    values = as_array(table.aligned(groups, "groups"), "groups")
    if values.shape != (table.n,):
        raise DataError(
            f"groups has shape {values.shape}, but the data have {table.n} rows: give one label per row, or the name "
            "of a column."
        )
    own = getattr(groups, "name", None)
    if own in table.names and pd.Series(np.asarray(table.column(own))).equals(pd.Series(values)):
        return table, own, GROUP
    column = own if isinstance(own, str) and own not in {*taken, *table.names} else GROUP
    while column in table.names:
        column += "_"

    def read_column(name: str) -> Any:
        return values if name == column else table.column(name)

    return replace(table, names=(*table.names, column), column=read_column), column, GROUP


def _chosen(table: Table, subset: Any) -> Table:
    """Rows of `table` that `subset` selects, as ``data.loc[subset]`` does."""
    if subset is None:
        return table
    try:
        rows = pd.Series(np.arange(table.n), index=table.index).loc[subset]
        rows = rows.to_numpy() if isinstance(rows, pd.Series) else np.array([rows])
    except (KeyError, IndexError, TypeError, ValueError, pd.errors.IndexingError) as err:
        raise DataError(
            f"subset does not select rows of the data ({err}): give one truth value per row, or labels of the index."
        ) from err
    return replace(table, n=len(rows), index=table.index[rows], column=lambda name: take(table.column(name), rows))
