"""Arrays of statsmodels' `MixedLM` to random terms and their structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from mixedsparse.compat.specs import VCSpec
from mixedsparse.compat.structure import Component, Effects, covariance_names
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula.alignment import aligned, aligned_part, is_default
from mixedsparse.data.formula.arrays import number_matrix
from mixedsparse.ground.errors import DataError, OptionError

__all__ = ["GROUP", "component_terms", "matrix_names", "random_term", "read_components"]

# Name of the groups, when they have none.
GROUP = "Group"


def read_components(
    exog_vc: Any, groups: np.ndarray, codes: np.ndarray, index: pd.Index | None, counted: bool
) -> VCSpec | None:
    """Components of `exog_vc`, sorted by name when it is a dict of dicts; None for none.

    Parameters
    ----------
    exog_vc : object
    groups, codes : ndarray
        Labels of the groups, and the group (n,) of each row.
    index : pandas.Index, or None
        Labels of the rows, which DataFrames among the matrices are put in the order of.
    counted : bool
        Whether the labels of all rows only count from 0.

    Raises
    ------
    OptionError
        It is neither a VCSpec nor a dict of dicts.
    DataError
        The index of a DataFrame is not that of the rows of its group.
    """
    spec = _given_components(exog_vc, groups)
    if spec is None or not any(isinstance(mat, pd.DataFrame | pd.Series) for row in spec.mats for mat in row):
        return spec
    rows = _rows_of_groups(codes, len(groups))
    mats = [
        [
            _by_label(mat, at, index, counted, f"exog_vc: component {name!r} in group {group!r}")
            for mat, at, group in zip(row, rows, groups.tolist(), strict=False)
        ]
        for name, row in zip(spec.names, spec.mats, strict=True)
    ]
    return VCSpec(spec.names, spec.colnames, mats)


def _by_label(mat: Any, at: np.ndarray, index: pd.Index | None, counted: bool, what: str) -> Any:
    """Rows of a matrix in the order of those of its group, `at`; by place where labels on both sides only count."""
    if not isinstance(mat, pd.DataFrame | pd.Series):
        return mat
    if is_default(mat.index) and (index is None or counted) and len(mat) == len(at):
        return mat
    if index is None and mat.index.equals(pd.Index(at)):
        return mat
    return aligned_part(mat, index[at], what) if index is not None else aligned(mat, None, what)


def _given_components(exog_vc: Any, groups: np.ndarray) -> VCSpec | None:
    if exog_vc is None:
        return None
    if isinstance(exog_vc, Mapping):
        return _from_dicts(exog_vc, groups) if exog_vc else None
    if not all(hasattr(exog_vc, field) for field in ("names", "colnames", "mats")):
        raise OptionError(
            f"exog_vc of type {type(exog_vc).__name__} is not known: give a VCSpec, or a dict name -> dict "
            "group -> matrix."
        )
    return exog_vc if len(exog_vc.names) else None


def _from_dicts(exog_vc: Mapping[str, Mapping[Any, Any]], groups: np.ndarray) -> VCSpec:
    names = sorted(exog_vc)
    if bad := [name for name in names if not isinstance(exog_vc[name], Mapping)]:
        raise OptionError(f"exog_vc[{bad[0]!r}] is no dict of matrices by group: give one matrix for each group.")
    for name in names:
        absent = [group for group in groups.tolist() if group not in exog_vc[name]]
        if absent:
            raise DataError(f"exog_vc[{name!r}] has no matrix for the group {absent[0]!r}: give one for each group.")
    mats = [[exog_vc[name][group] for group in groups.tolist()] for name in names]
    return VCSpec(names, [[_columns(mat) for mat in row] for row in mats], mats)


def _columns(mat: Any) -> list[str]:
    columns = getattr(mat, "columns", None)
    width = np.shape(mat)[1] if len(np.shape(mat)) > 1 else 1
    return [str(j) for j in range(width)] if columns is None else [str(column) for column in columns]


def matrix_names(values: Any, default: Sequence[str]) -> list[str]:
    """Names of the columns of a DataFrame or a Series, else `default`."""
    if isinstance(values, pd.DataFrame):
        return [str(column) for column in values.columns]
    return [str(values.name)] if isinstance(values, pd.Series) and values.name is not None else list(default)


def random_term(
    exog_re: Any, codes: np.ndarray, groups: np.ndarray
) -> tuple[RandomTerm, tuple[str, ...], tuple[str, ...]]:
    """Term of the groups' random effects, statsmodels' names of them and of the entries of cov_re.

    `exog_re` None is a random intercept.
    """
    if exog_re is None:
        intercept = RandomTerm(GROUP, codes, np.ones(len(codes)), ("Intercept",), groups)
        return intercept, (f"{GROUP} Var",), (f"{GROUP} Var",)
    z = number_matrix(exog_re, "exog_re")
    names = tuple(matrix_names(exog_re, [f"x_re{j + 1}" for j in range(z.shape[1])]))
    return RandomTerm(GROUP, codes, z, names, groups), names, covariance_names(names)


def component_terms(
    spec: VCSpec, codes: np.ndarray, groups: np.ndarray
) -> tuple[list[RandomTerm], tuple[Component, ...]]:
    """Random term and labels of each component.

    Raises
    ------
    DataError
        A matrix has not the rows of its group.
    """
    rows = _rows_of_groups(codes, len(groups))
    found = [
        _component(name, mats, colnames, rows, codes, groups)
        for name, mats, colnames in zip(spec.names, spec.mats, spec.colnames, strict=True)
    ]
    return [term for terms, _ in found for term in terms], tuple(component for _, component in found)


def _rows_of_groups(codes: np.ndarray, count: int) -> list[np.ndarray]:
    """Rows of each group, in their order."""
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes, minlength=count))[:-1])


def _component(
    name: str,
    mats: Sequence[Any],
    colnames: Sequence[Sequence[str]],
    rows: Sequence[np.ndarray],
    codes: np.ndarray,
    groups: np.ndarray,
) -> tuple[list[RandomTerm], Component]:
    if len(mats) != len(groups):
        raise DataError(f"exog_vc: component {name!r} has {len(mats)} matrices for {len(groups)} groups.")
    entries = [
        _entries(mat, at, f"exog_vc: component {name!r} in group {group!r}")
        for mat, at, group in zip(mats, rows, groups, strict=True)
    ]
    if not any(matrix.nnz for matrix in entries):
        raise DataError(f"exog_vc: component {name!r} is zero everywhere: leave it out.")
    if all(np.diff(matrix.indptr).max(initial=0) <= 1 for matrix in entries):
        term, effects = _levels_term(name, entries, colnames, rows, groups)
        return [term], Component(name, (effects,))
    return _tied_terms(name, entries, colnames, rows, codes, groups)


def _levels_term(
    name: str,
    entries: Sequence[sparse.csr_array],
    colnames: Sequence[Sequence[str]],
    rows: Sequence[np.ndarray],
    groups: np.ndarray,
) -> tuple[RandomTerm, Effects]:
    """Columns that never meet in a row, as levels of one factor."""
    n = sum(map(len, rows))
    codes, z = np.zeros(n, dtype=np.intp), np.zeros(n)
    owner: list[int] = []
    columns: list[str] = []
    for g, (matrix, names, at) in enumerate(zip(entries, colnames, rows, strict=True)):
        active = np.diff(matrix.indptr) == 1
        used, place = np.unique(matrix.indices, return_inverse=True)
        # A row without entry may stand at any level: its z is 0.
        codes[at] = len(columns) if len(used) else 0
        codes[at[active]] = len(columns) + place
        z[at[active]] = matrix.data
        owner += [g] * len(used)
        columns += [names[j] for j in used]
    one_each = owner == list(range(len(groups)))
    levels = groups if one_each else np.array(_joined(owner, columns, groups), dtype=object)
    group = GROUP if one_each else name if len(groups) == 1 else f"{GROUP}:{name}"
    effect = "Intercept" if not one_each and np.isin(z, (0.0, 1.0)).all() else name
    return RandomTerm(group, codes, z, (effect,), levels), Effects(np.array(owner), _labels(name, columns))


def _tied_terms(
    name: str,
    entries: Sequence[sparse.csr_array],
    colnames: Sequence[Sequence[str]],
    rows: Sequence[np.ndarray],
    codes: np.ndarray,
    groups: np.ndarray,
) -> tuple[list[RandomTerm], Component]:
    """Columns that meet in a row: one term for the first of every group, one for the second, and so on."""
    if len(groups) == 1:
        raise DataError(
            f"exog_vc: several columns of component {name!r} act in one row, and groups has one value: this is "
            "supported for columns that never meet in a row, or within groups of several values."
        )
    z = np.zeros((len(codes), max(matrix.shape[1] for matrix in entries)))
    for matrix, at in zip(entries, rows, strict=True):
        z[at, : matrix.shape[1]] = matrix.toarray()
    terms, parts = [], []
    for j in np.flatnonzero(z.any(axis=0)):
        columns = [names[j] if j < len(names) else "" for names in colnames]
        terms.append(RandomTerm(GROUP, codes, z[:, j], (f"{name}[{j}]",), groups))
        parts.append(Effects(np.arange(len(groups)), _labels(name, columns)))
    return terms, Component(name, tuple(parts))


def _labels(name: str, columns: Sequence[str]) -> np.ndarray:
    return np.array([f"{name}[{column}]" if column else "" for column in columns], dtype=object)


def _joined(owner: Sequence[int], columns: Sequence[str], groups: np.ndarray) -> list[str]:
    return list(columns) if len(groups) == 1 else [f"{groups[g]}:{c}" for g, c in zip(owner, columns, strict=True)]


def _entries(mat: Any, at: np.ndarray, what: str) -> sparse.csr_array:
    """Entries of a matrix that differ from 0."""
    if not sparse.issparse(mat):
        mat = np.asarray(mat, dtype=float)
        mat = mat[:, None] if mat.ndim == 1 else mat
    if mat.shape[0] != len(at):
        raise DataError(f"{what}: the matrix has {mat.shape[0]} rows, the group {len(at)}. Give one row per row.")
    entries = sparse.csr_array(mat)
    entries.sum_duplicates()
    entries.eliminate_zeros()
    return entries
