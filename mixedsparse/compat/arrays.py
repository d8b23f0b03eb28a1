"""Arrays of `MixedLM` to a design and its structure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.compat.arguments import check_missing, refuse_missing
from mixedsparse.compat.components import component_terms, matrix_names, random_term, read_components
from mixedsparse.compat.structure import FixedColumns, Structure
from mixedsparse.data.formula.alignment import aligned, is_default, labels_of
from mixedsparse.data.formula.arrays import array_design
from mixedsparse.data.formula.design import Design
from mixedsparse.data.formula.levels import factorise
from mixedsparse.ground.checks import as_array
from mixedsparse.ground.errors import DataError

__all__ = ["read_arrays"]


def read_arrays(
    endog: Any, exog: Any, groups: Any, exog_re: Any, exog_vc: Any, missing: str
) -> tuple[Design, Structure]:
    """Design and structure of statsmodels' arrays; see `MixedLM` for the arguments."""
    check_missing(missing)
    if absent := [name for name, value in (("endog", endog), ("exog", exog), ("groups", groups)) if value is None]:
        raise DataError(f"{absent[0]}=None: give an array with one row per observation.")
    given = {"endog": endog, "exog": exog, "groups": groups, "exog_re": exog_re}
    given = {name: _rows(name, value) for name, value in given.items() if value is not None}
    index = labels_of(*given.values())
    given = {name: aligned(value, index, name) for name, value in given.items()}
    n, given = _complete(given, missing)
    codes, labels = factorise(np.asarray(given["groups"]), "groups")
    counted = index is not None and is_default(index)
    spec = read_components(exog_vc, labels, codes, labels_of(*given.values()), counted)
    has_re = exog_re is not None or spec is None
    if has_re and len(labels) == 1:
        raise DataError(
            f"groups has one value, {labels[0]!r}, so random effects of the groups have no variance that could be "
            "estimated: give groups with several values, or exog_vc alone."
        )
    term, re_names, re_params = random_term(given.get("exog_re"), codes, labels)
    terms, components = component_terms(spec, codes, labels) if spec else ([], ())
    X = given["exog"]
    names = _exog_names(X)
    design = array_design(given["endog"], X, [term, *terms] if has_re else terms, x_names=list(map(str, names)))
    structure = Structure(
        groups=labels,
        sizes=np.bincount(codes),
        codes=codes,
        re_names=re_names if has_re else (),
        re_params=re_params if has_re else (),
        components=components,
        fixed=FixedColumns(np.arange(design.X.shape[1]), tuple(names)),
    )
    return replace(design, nmissing=n - len(codes)), structure


def _rows(name: str, value: Any) -> Any:
    """`value` as an array or pandas object, one row per observation."""
    out = value if isinstance(value, pd.Series | pd.DataFrame) else as_array(value, name)
    if name == "endog" and out.ndim == 2 and out.shape[1] == 1:
        out = out.iloc[:, 0] if isinstance(out, pd.DataFrame) else out[:, 0]
    if out.ndim not in ((1, 2) if name in ("exog", "exog_re") else (1,)):
        raise DataError(f"{name} has shape {out.shape}: give one row per observation.")
    return out


def _complete(given: dict[str, Any], missing: str) -> tuple[int, dict[str, Any]]:
    """Return the number of rows, and arrays without the incomplete ones; refuse these unless `missing` is drop."""
    n = len(given["endog"])
    lengths = {name: len(value) for name, value in given.items()}
    if set(lengths.values()) != {n}:
        raise DataError(f"The arrays differ in length: {lengths}. Give one row per observation in each.")
    masks = {name: np.asarray(pd.isna(value)) for name, value in given.items()}
    masks = {name: mask.any(axis=1) if mask.ndim > 1 else mask for name, mask in masks.items()}
    keep = ~np.logical_or.reduce(list(masks.values()))
    if keep.all():
        return n, given
    if missing != "drop":
        refuse_missing({name: int(mask.sum()) for name, mask in masks.items() if mask.any()}, n)
    if not keep.any():
        raise DataError(f"No rows are left: each of the {n} rows has a missing value.")
    return n, {name: value[keep] for name, value in given.items()}


def _exog_names(X: Any) -> list[Any]:
    """Names of the columns of X: its own, levels joined by ``_``, or statsmodels' ``const``, ``x1``, ``x2``, ..."""
    if isinstance(X, pd.DataFrame):
        return ["_".join(map(str, name)) if isinstance(name, tuple) else name for name in X.columns]
    matrix = np.asarray(X)
    width = matrix.shape[1] if matrix.ndim > 1 else 1
    constant = np.flatnonzero((matrix == matrix[:1]).reshape(len(matrix), width).all(axis=0))
    default = [f"x{j}" for j in range(1, width + (len(constant) == 0))]
    if len(constant):
        default.insert(int(constant[0]), "const")
    return matrix_names(X, default)
