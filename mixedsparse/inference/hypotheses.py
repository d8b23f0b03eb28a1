"""Hypotheses about the terms of the fixed part: L beta = 0 of type I, II and III, as in lmerTest and SAS.

A hypothesis about a term involves no parameters of terms that do not contain it (types II and III, with or without an
intercept): ``0 + A + B`` tests that the means of A are equal, since only their differences are free of B, and ``0 + A``
that they are zero, which `notes` says.

Type III starts from every level of every factor: each combination of levels has a parameter b, and beta = map @ b. The
estimable functions k'beta that touch only parameters of a term, and of terms that contain it, make a space that knows
nothing of contrasts; those orthogonal (in b) to the functions of the containing terms alone are the hypotheses of
type III (SAS/STAT User's Guide, "The four types of estimable functions"); those whose least squares estimates are
uncorrelated with theirs are of type II. Type I has the rows of the triangular factor of X'X (Goodnight 1978; lmerTest's
get_contrasts_type1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.data.formula.structure import Structure, read_structure, separate_columns
from mixedsparse.ground.errors import FormulaError

if TYPE_CHECKING:
    from mixedsparse.fitted.parameters import Parameters

__all__ = ["FixedTerms", "deciding_rows", "fixed_terms", "known_terms", "notes", "type1", "type2", "type3"]

# Relative size below which a part of a hypothesis is rounding noise.
_NOISE = 1e-8
# Factors and covariates map with coefficients near 1; beyond this one, units differ.
_ODD = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class FixedTerms:
    """Terms of the fixed part on the columns that were kept.

    Attributes
    ----------
    structure : Structure
    map : ndarray, shape (p, parameters)
        beta of the kept columns = map @ b.
    columns : tuple of ndarray
        Kept columns of each term, by position among `Fitted.x_names`.
    root : ndarray, shape (r, p)
        R with R'R = X'X for the kept columns of X.
    """

    structure: Structure
    map: np.ndarray
    columns: tuple[np.ndarray, ...]
    root: np.ndarray

    @property
    def tested(self) -> list[int]:
        """Terms that a table lists: all but the intercept."""
        return [i for i, label in enumerate(self.structure.labels) if label != "1"]

    def without(self, term: int) -> np.ndarray:
        """Give combinations (p, r) of the kept columns that span the model without `term`."""
        return self.map[:, self.structure.owner != term]


def fixed_terms(parameters: Parameters) -> FixedTerms:
    """Read the terms of the fixed part of a fit.

    Raises
    ------
    FormulaError
        A term multiplies two transforms of several columns each that stand nowhere alone.
    """
    encoding = parameters.design.encoding
    if encoding is None:
        return _on_kept_columns(parameters, separate_columns(parameters.design.x_terms))
    return _on_kept_columns(parameters, read_structure(encoding.fixed))


def known_terms(parameters: Parameters) -> FixedTerms:
    """Read the terms of the fixed part; where they cannot be told apart, each column is one."""
    try:
        return fixed_terms(parameters)
    except FormulaError:
        names = parameters.design.x_names
        columns = separate_columns({name: slice(j, j + 1) for j, name in enumerate(names)})
        return _on_kept_columns(parameters, columns)


def _on_kept_columns(parameters: Parameters, structure: Structure) -> FixedTerms:
    design, problem = parameters.design, parameters.problem
    kept = problem.basis.kept
    # X = X[:, kept] @ alias: dropped columns are combinations of the kept ones.
    alias = np.zeros((len(kept), len(design.x_names)))
    alias[np.arange(len(kept)), kept] = 1.0
    dropped = np.setdiff1d(np.arange(len(design.x_names)), kept)
    if len(dropped):
        alias[:, dropped] = problem.basis.alias
    position = {int(column): i for i, column in enumerate(kept)}
    columns = tuple(
        np.array([position[c] for c in range(s.start, s.stop) if c in position], dtype=int) for s in structure.columns
    )
    return FixedTerms(
        structure, _in_proportion(alias @ structure.map, structure.owner), columns, design.observed.x_root[:, kept]
    )


def _in_proportion(mapping: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Rescale the parameters of terms whose dropped columns have other units than the columns that stand for them."""
    size = np.zeros(owner.max(initial=-1) + 1)
    np.maximum.at(size, owner, np.abs(mapping).max(axis=0, initial=0.0))
    odd = (size > 0) & ((size > _ODD) | (size < 1.0 / _ODD))
    return mapping / np.where(odd, size, 1.0)[owner]


def type1(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Sequential hypotheses: each term after those before it. Term -> L (r, p)."""
    order = np.concatenate([*terms.columns, np.empty(0, dtype=int)])
    triangle = _triangle(terms.root[:, order])
    out = {}
    for i in terms.tested:
        rows = np.zeros((len(terms.columns[i]), len(order)))
        rows[:, order] = triangle[np.isin(order, terms.columns[i])]
        out[terms.structure.labels[i]] = deciding_rows(terms, rows, sequential=True)
    return out


def type2(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Each term after all terms that do not contain it. Term -> L (r, p)."""
    metric = np.linalg.inv(_triangle(terms.root))  # L metric metric'L' is the covariance of L beta by least squares
    return {terms.structure.labels[i]: _hypothesis(terms, i, metric, sequential=True) for i in terms.tested}


def type3(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Hypotheses that do not depend on contrasts, nor on the numbers of observations. Term -> L (r, p).

    Without empty cells they compare means that weigh the levels of all other factors equally.
    """
    return {terms.structure.labels[i]: _hypothesis(terms, i, terms.map, sequential=False) for i in terms.tested}


def notes(terms: FixedTerms, hypotheses: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Say of each of `hypotheses`, term -> L (r, p), what a reader must know: nothing, or that means are to be zero.

    Equal means are equal parameters of all levels: where L beta changes with their common value, the hypothesis says
    that they are zero.
    """
    out = {}
    for term, label in enumerate(terms.structure.labels):
        if label in hypotheses:
            parameters = hypotheses[label] @ terms.map[:, terms.structure.owner == term]
            largest = np.abs(parameters).sum(axis=1).max(initial=0.0)
            zero = np.abs(parameters.sum(axis=1)) > np.sqrt(_NOISE) * largest
            out[label] = "tests that means are zero" if terms.structure.of_means[term] and zero.any() else ""
    return out


def deciding_rows(terms: FixedTerms, L: np.ndarray, *, sequential: bool = False) -> np.ndarray:
    """Rows of the hypothesis L beta = 0 that fix the degrees of freedom of its F test by Satterthwaite's method.

    These combine the degrees of freedom of r uncorrelated functions, the principal axes of the rows' covariance
    (Fai & Cornelius 1996; lmerTest). The axes depend on the rows that span the hypothesis, so that the same rows are
    taken here however it was written: differences of each level from the first, whatever the contrasts of the factors,
    as lmerTest's type III has them. Of a sequence of hypotheses (type I, and type II of a term that others contain),
    and in a model with a single term, where all types are one hypothesis, they are the rows of the triangular factor of
    X'X, which lmerTest takes there: one per column as it is coded, each uncorrelated, by least squares, with those
    after it.

    Parameters
    ----------
    terms : FixedTerms
    L : ndarray, shape (r, p)
        Of full row rank.
    sequential : bool

    Returns
    -------
    ndarray, shape (r, p)
    """
    p = terms.root.shape[1]
    L = np.linalg.solve(_spread(terms, L).T, L)
    if not (sequential or len(terms.tested) == 1):
        return _echelon(L, terms, terms.map, np.lexsort((terms.structure.firsts, terms.structure.owner)))
    rows = _echelon(L, terms, np.eye(p), np.arange(p))[::-1]
    spread = _spread(terms, rows)
    return np.asarray(np.linalg.solve((spread / np.diagonal(spread)[:, None]).T, rows)[::-1])


def _spread(terms: FixedTerms, L: np.ndarray) -> np.ndarray:
    """Triangle T with T'T the covariance of L beta by least squares, in units of the residual variance."""
    return _triangle(np.linalg.solve(_triangle(terms.root).T, L.T))


def _triangle(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr(X, mode="r"))


def _hypothesis(terms: FixedTerms, term: int, metric: np.ndarray, sequential: bool) -> np.ndarray:
    """Functions of the parameters of `term` and of terms that contain it, those orthogonal to functions of the latter.

    k and h are orthogonal when k'metric metric'h = 0.
    """
    structure = terms.structure
    above = structure.containing(term)
    if not len(terms.columns[term]):
        return np.empty((0, len(terms.map)))
    # A term all of whose columns were dropped is not in the model: it does not stand in the way of others.
    there = np.isin(structure.owner, [j for j, columns in enumerate(terms.columns) if len(columns)])
    space = _null_space(terms.map[:, there & ~np.isin(structure.owner, [term, *above])].T)
    if above:
        beyond = _null_space(terms.map[:, there & ~np.isin(structure.owner, above)].T)
        turned, triangle = np.linalg.qr(metric.T @ space)
        inside = _null_space(np.linalg.qr(metric.T @ beyond)[0].T @ turned)
        space = space @ np.linalg.solve(triangle, inside)
    return deciding_rows(terms, space.T, sequential=sequential and bool(above))


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal basis (p, d) of {k: matrix k = 0}; entries of `matrix` (r, p) are of order 1."""
    if len(matrix) > matrix.shape[1]:
        matrix = _triangle(matrix)
    _, values, vectors = np.linalg.svd(matrix)
    rank = int((values > _NOISE).sum())
    return vectors[rank:].T


def _echelon(L: np.ndarray, terms: FixedTerms, mapping: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows of the hypothesis L beta = 0, each with 1 at one of the parameters beta = mapping @ b and 0 at the others'.

    These are the first, in `order`, that tell the rows apart. Rows of L are uncorrelated by least squares.
    """
    functions = mapping.T @ L.T
    # Weights of the parameters as shares of those that the columns of X give them, which are free of units. A
    # combination of levels that does not occur has none, but for rounding.
    clean = np.where(np.abs(mapping) > _NOISE, mapping, 0.0)
    size = np.linalg.norm(terms.root @ clean, axis=0)
    empty = size <= _NOISE * np.linalg.norm(np.abs(terms.root) @ np.abs(clean), axis=0)
    rest = functions / np.where(empty, np.inf, size)[:, None]
    largest = np.abs(rest).max(initial=0.0)
    chosen: list[int] = []
    for i in order:
        length = np.linalg.norm(rest[i])
        if len(chosen) < len(L) and length > np.sqrt(_NOISE) * largest:
            chosen.append(int(i))
            direction = rest[i] / length
            rest = rest - np.outer(rest @ direction, direction)
    chosen.sort()
    return np.linalg.solve(functions[chosen].T, L) if len(chosen) == len(L) else L
