"""Hypotheses about the terms of the fixed part: L beta = 0 of type I, II and III, as in lmerTest and SAS.

Type III starts from every level of every factor: each combination of levels has a parameter b, and beta = map @ b. The
estimable functions k'beta that touch only parameters of a term, and of terms that contain it, make a space that knows
nothing of contrasts; those orthogonal (in b) to the functions of the containing terms alone are the hypotheses of type
III (SAS/STAT User's Guide, "The four types of estimable functions"). Types I and II are rows of the triangular factor of
X'X with its columns in a suitable order (Goodnight 1978; lmerTest's get_contrasts_type1 and _type2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import null_space, solve_triangular

from mixedsparse.formula.structure import Structure, read_structure, separate_columns

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["FixedTerms", "fixed_terms", "type1", "type2", "type3"]

# Relative size below which a part of a hypothesis is rounding noise.
_NOISE = 1e-8


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
    X : ndarray, shape (n, p)
    """

    structure: Structure
    map: np.ndarray
    columns: tuple[np.ndarray, ...]
    X: np.ndarray

    @property
    def tested(self) -> list[int]:
        """Terms that a table lists: all but the intercept."""
        return [i for i, label in enumerate(self.structure.labels) if label != "1"]

    def without(self, term: int) -> np.ndarray:
        """Columns (n, r) that span the model without `term`."""
        return self.X @ self.map[:, self.structure.owner != term]


def fixed_terms(results: MixedResults) -> FixedTerms:
    """Read the terms of the fixed part of a fit."""
    design, problem = results.model.design, results.model.problem
    encoding = design.encoding
    structure = separate_columns(design.x_terms) if encoding is None else read_structure(encoding.fixed)
    kept = problem.basis.kept
    # X = X[:, kept] @ alias: dropped columns are combinations of the kept ones.
    alias = np.zeros((len(kept), design.X.shape[1]))
    alias[np.arange(len(kept)), kept] = 1.0
    dropped = np.setdiff1d(np.arange(design.X.shape[1]), kept)
    if len(dropped):
        lost = design.X[:, dropped] if problem.root_weights is None else design.X[:, dropped] * problem.root_weights[:, None]
        alias[:, dropped] = solve_triangular(problem.basis.root, problem.basis.q.T @ lost)
    position = {int(column): i for i, column in enumerate(kept)}
    columns = tuple(
        np.array([position[c] for c in range(s.start, s.stop) if c in position], dtype=int) for s in structure.columns
    )
    return FixedTerms(structure, alias @ structure.map, columns, results.model.design.X[:, kept])


def type1(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Sequential hypotheses: each term after those before it. Term -> L (r, p)."""
    order = np.concatenate([*terms.columns, np.empty(0, dtype=int)])
    triangle = _triangle(terms.X[:, order])
    return {terms.structure.labels[i]: _rows(triangle, order, terms.columns[i]) for i in terms.tested}


def type2(terms: FixedTerms) -> dict[str, np.ndarray]:
    """Each term after all terms that do not contain it. Term -> L (r, p)."""
    triangle = _triangle(terms.X)
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
    rows = triangle[at] / np.diagonal(triangle)[at, None]
    out = np.zeros((len(at), len(order)))
    out[:, order] = np.triu(rows, 0) if len(at) == len(order) else rows
    return out


def _type3(terms: FixedTerms, term: int) -> np.ndarray:
    structure = terms.structure
    above = structure.containing(term)
    inside = np.isin(structure.owner, [term, *above])
    space = null_space(terms.map[:, ~inside].T, rcond=_NOISE) if (~inside).any() else np.eye(len(terms.map))
    if above:
        beyond = null_space(terms.map[:, ~np.isin(structure.owner, above)].T, rcond=_NOISE)
        # Orthogonal as functions of b: k'map is one.
        inner = beyond.T @ terms.map @ terms.map.T @ space
        space = space @ null_space(inner, rcond=_NOISE) if inner.size else space
    return _standard_basis(space, terms.map, np.flatnonzero(structure.owner == term), structure.firsts)


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
