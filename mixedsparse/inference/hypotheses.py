"""Hypotheses about the terms of the fixed part: L beta = 0 of type I, II and III, as in lmerTest and SAS.

Type III starts from every level of every factor: each combination of levels has a parameter b, and beta = map @ b. The
estimable functions k'beta that touch only parameters of a term, and of terms that contain it, make a space that knows
nothing of contrasts; those orthogonal (in b) to the functions of the containing terms alone are the hypotheses of
type III (SAS/STAT User's Guide, "The four types of estimable functions"). Types I and II are rows of the triangular
factor of X'X with its columns in a suitable order (Goodnight 1978; lmerTest's get_contrasts_type1 and _type2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.formula.structure import Structure, read_structure, separate_columns

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["FixedTerms", "fixed_terms", "type1", "type2", "type3"]

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
        Kept columns of each term, by position among `results.params`.
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


def fixed_terms(results: MixedResults) -> FixedTerms:
    """Read the terms of the fixed part of a fit."""
    design, problem = results.model.design, results.model.problem
    encoding = design.encoding
    structure = separate_columns(design.x_terms) if encoding is None else read_structure(encoding.fixed)
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
        structure, _in_proportion(alias @ structure.map, structure.owner), columns, design.x_root[:, kept]
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
    return {terms.structure.labels[i]: _rows(triangle, order, terms.columns[i]) for i in terms.tested}


def type2(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Each term after all terms that do not contain it. Term -> L (r, p)."""
    triangle = _triangle(terms.root)
    out = {}
    for i in terms.tested:
        own = terms.columns[i]
        above = np.concatenate([*(terms.columns[j] for j in terms.structure.containing(i)), np.empty(0, dtype=int)])
        if len(above):
            order = np.concatenate([np.setdiff1d(np.arange(len(triangle)), [*own, *above]), own, above])
            out[terms.structure.labels[i]] = _rows(_triangle(triangle[:, order]), order, own)
        else:
            out[terms.structure.labels[i]] = np.eye(len(triangle))[own]
    return out


def type3(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Hypotheses that do not depend on contrasts, nor on the numbers of observations. Term -> L (r, p).

    Without empty cells they compare means that weigh the levels of all other factors equally.
    """
    return {terms.structure.labels[i]: _type3(terms, i) for i in terms.tested}


def _triangle(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.qr(X, mode="r"))


def _rows(triangle: np.ndarray, order: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rows of the columns `wanted` of the triangular factor, diagonal 1, columns back in place."""
    at = np.flatnonzero(np.isin(order, wanted))
    out = np.empty((len(at), len(order)))
    out[:, order] = triangle[at] / np.diagonal(triangle)[at, None]
    return out


def _type3(terms: FixedTerms, term: int) -> np.ndarray:
    structure = terms.structure
    above = structure.containing(term)
    if not len(terms.columns[term]):
        return np.empty((0, len(terms.map)))
    # A term all of whose columns were dropped is not in the model: it does not stand in the way of others.
    there = np.isin(structure.owner, [j for j, columns in enumerate(terms.columns) if len(columns)])
    space = _null_space(terms.map[:, there & ~np.isin(structure.owner, [term, *above])].T)
    if above:
        beyond = _null_space(terms.map[:, there & ~np.isin(structure.owner, above)].T)
        # Orthogonal as functions of b, which k'map is.
        space = space @ _null_space((beyond.T @ terms.map) @ (terms.map.T @ space))
    return _standard_basis(space, terms.map, np.flatnonzero(structure.owner == term), structure.firsts)


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal basis (p, d) of {k: matrix k = 0}; entries of `matrix` (r, p) are of order 1."""
    if len(matrix) > matrix.shape[1]:
        matrix = _triangle(matrix)
    _, values, vectors = np.linalg.svd(matrix)
    rank = int((values > _NOISE).sum())
    return vectors[rank:].T


def _standard_basis(space: np.ndarray, mapping: np.ndarray, own: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Basis (r, p) of the hypotheses `space` (p, r), one per level other than the first: the same for any contrasts.

    Satterthwaite's degrees of freedom of several rows together depend a little on the basis; this is lmerTest's.
    """
    functions = mapping[:, own].T @ space
    chosen: list[int] = []
    rest = functions.copy()
    largest = np.abs(functions).max(initial=0.0)
    for i in sorted(range(len(own)), key=lambda i: firsts[own[i]]):
        length = np.linalg.norm(rest[i])
        if len(chosen) < space.shape[1] and length > np.sqrt(_NOISE) * largest:
            chosen.append(i)
            direction = rest[i] / length
            rest = rest - np.outer(rest @ direction, direction)
    chosen.sort()
    return np.linalg.solve(functions[chosen].T, space.T) if len(chosen) == space.shape[1] else space.T
