"""P in the place of I: what M(theta) = Lambda'Z'Z Lambda + P x I has on the pattern of one block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.blocks import BlockLayout
from mixedsparse.core.problem.crossproducts import Pairs, row_slots
from mixedsparse.core.problem.relationship import Relationship
from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["Penalty", "joined_levels", "penalty_of", "upper_entries"]


@dataclass(frozen=True, slots=True, eq=False)
class Penalty:
    """P of a block.

    Attributes
    ----------
    relationship : Relationship
        P, and products with P^-1.
    diagonal : ndarray, shape (levels,)
        Of P.
    pairs : ndarray, shape (nnz,)
        Entries of P at the pairs of levels of the block, in their order.
    """

    relationship: Relationship
    diagonal: np.ndarray
    pairs: np.ndarray


def penalty_of(term: RandomTerm, pairs: Pairs | None) -> Penalty | None:
    """P of `term` on the pattern of its self pairs."""
    if term.precision is None:
        return None
    assert pairs is not None
    rows, columns, values = upper_entries(term.precision)
    off = np.zeros(len(pairs.indices))
    off[row_slots(pairs, rows, columns)] = values
    return Penalty(term.precision, term.precision.precision.diagonal(), off)


def joined_levels(terms: Sequence[RandomTerm], layout: BlockLayout) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Pairs of levels of a block that P joins."""
    return {
        b: upper_entries(term.precision)[:2]
        for b, term in zip(layout.term_block, terms, strict=True)
        if term.precision is not None
    }


def upper_entries(relationship: Relationship) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and values of P above its diagonal."""
    upper = sparse.triu(relationship.precision, 1, format="coo")
    return upper.row.astype(np.intp), upper.col.astype(np.intp), upper.data
