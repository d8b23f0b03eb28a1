"""Factor blocks: the random-effects terms that share one grouping factor, side by side.

Every level of a block couples only with itself inside the block, whatever the number of terms on that
factor, so Z'Z and Lambda are block diagonal with one K x K block per level. The engines see blocks only.

Inside a block the basis of each term is whitened: with Z_t'Z_t / n = T'T (T lower triangular), the columns
z T^-1 are orthonormal on average and Lambda_t becomes T Lambda_t. That is linear in theta and keeps the
triangle, so a slope measured in millions needs no care anywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from mixedsparse.core.problem.relationship import same_relationship
from mixedsparse.core.problem.slots import per_slot
from mixedsparse.core.problem.terms import RandomTerm, ThetaLayout
from mixedsparse.core.problem.whitening import whiten
from mixedsparse.core.residual.interface import ResidualAt
from mixedsparse.core.structures.unstructured import semidefinite_root

__all__ = ["Block", "BlockLayout", "effect_major", "make_blocks", "make_layout", "white_blocks"]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One grouping factor: codes (n,), whitened basis z (n, K) over all of its terms.

    `unit` says that z is a single column of ones (a random intercept, unweighted): sums are counts. A block whose rows
    belong to several levels has codes (n, slots) and z (n, slots, K).
    """

    codes: np.ndarray
    z: np.ndarray
    n_levels: int
    unit: bool

    @property
    def width(self) -> int:
        """Number of random effects per level, K."""
        return int(self.z.shape[-1])

    @property
    def slots(self) -> list[Block]:
        """The block itself, or one block per slot."""
        if self.codes.ndim == 1:
            return [self]
        return [Block(codes, z, self.n_levels, False) for codes, z in per_slot(self.codes, self.z)]


@dataclass(frozen=True, eq=False)
class BlockLayout:
    """Where theta stands in the blocks.

    Attributes
    ----------
    widths, n_levels : tuple of int
        K and number of levels of each block.
    block, row, col : ndarray of int, shape (m,)
        Position of each entry of theta in the lower triangle of its block's Lambda.
    to_block : ndarray, shape (m, m)
        Whitening: theta of the whitened bases = `to_block` @ theta of the user's.
    term_block, term_start : tuple of int
        Block of each term and its first column there.
    whiten : tuple of ndarray (k, k)
        T of each term; b of the user's basis = T^-1 b of the whitened one.
    """

    widths: tuple[int, ...]
    n_levels: tuple[int, ...]
    block: np.ndarray
    row: np.ndarray
    col: np.ndarray
    to_block: np.ndarray
    term_block: tuple[int, ...]
    term_start: tuple[int, ...]
    whiten: tuple[np.ndarray, ...]

    @cached_property
    def is_diagonal(self) -> np.ndarray:
        """Mask of the entries on a diagonal, shape (m,)."""
        return self.row == self.col

    @cached_property
    def multiplicity(self) -> np.ndarray:
        """How often each entry stands in its symmetric matrix, shape (m,): once on a diagonal, else twice."""
        return np.where(self.is_diagonal, 1.0, 2.0)

    @cached_property
    def members(self) -> tuple[np.ndarray, ...]:
        """Positions in theta of the entries of each block."""
        return tuple(np.flatnonzero(self.block == b) for b in range(len(self.widths)))

    @cached_property
    def units(self) -> tuple[np.ndarray, ...]:
        """S_i of the entries of each block, (m_b, K, K): symmetric, ones at the entry and its mirror image."""
        out = []
        for mine, k in zip(self.members, self.widths, strict=True):
            index, row, col = np.arange(len(mine)), self.row[mine], self.col[mine]
            unit = np.zeros((len(mine), k, k))
            unit[index, row, col] = unit[index, col, row] = 1.0
            out.append(unit)
        return tuple(out)

    @cached_property
    def _effect(self) -> np.ndarray:
        """Number of the effect, over all blocks, in whose row each entry of theta stands, shape (m,)."""
        return np.cumsum([0, *self.widths])[self.block] + self.row

    @property
    def q(self) -> int:
        """Number of random effects in total."""
        return sum(k * n for k, n in zip(self.widths, self.n_levels, strict=True))

    def lams(self, theta: np.ndarray) -> list[np.ndarray]:
        """Lambda of each block, (K, K) lower triangular, from theta of the whitened bases."""
        out = [np.zeros((k, k)) for k in self.widths]
        for mine, lam in zip(self.members, out, strict=True):
            lam[self.row[mine], self.col[mine]] = theta[mine]
        return out

    def gather(self, matrices: Sequence[np.ndarray]) -> np.ndarray:
        """Entries (m,) of one (K, K) matrix per block at the positions of theta."""
        out = np.empty(len(self.block))
        for mine, matrix in zip(self.members, matrices, strict=True):
            out[mine] = matrix[self.row[mine], self.col[mine]]
        return out

    def signs(self, theta: np.ndarray) -> np.ndarray:
        """Return -1 (m,) for the columns of Lambda whose diagonal entry is negative, 1 for others."""
        negative = self.is_diagonal & (theta < 0)
        if not negative.any():
            return np.ones(len(theta))
        flipped = set(zip(self.block[negative], self.col[negative], strict=True))
        return np.array([-1.0 if key in flipped else 1.0 for key in zip(self.block, self.col, strict=True)])

    def positive(self, theta: np.ndarray) -> np.ndarray:
        """Flip the columns of Lambda whose diagonal entry is negative: the same covariance."""
        return theta * self.signs(theta) if (self.is_diagonal & (theta < 0)).any() else theta

    def row_norms(self, theta: np.ndarray) -> np.ndarray:
        """Return the SD ratio (m,) of the effect in whose row each entry of theta stands."""
        return np.sqrt(np.bincount(self._effect, theta**2))[self._effect]

    def canonical(self, theta: np.ndarray) -> np.ndarray:
        """Theta of the same covariance with a zero column wherever a pivot is zero."""
        return self.gather(
            [lam if (np.diagonal(lam) > 0).all() else semidefinite_root(lam @ lam.T) for lam in self.lams(theta)]
        )


def make_blocks(
    terms: Sequence[RandomTerm], root_weights: np.ndarray | None, n: int | None = None
) -> tuple[list[Block], BlockLayout]:
    """Group `terms` (in theta order) by grouping factor and whiten their bases.

    Parameters
    ----------
    terms : sequence of RandomTerm
        In theta order.
    root_weights : ndarray, shape (n,), or None
        Square roots of the prior weights, multiplied into the bases.
    n : int, optional
        Number of observations where the rows stand for several each, and the weights count them.
    """
    owner, shared = _shared_factors(terms)
    bases: list[list[np.ndarray]] = [[] for _ in shared]
    transforms = []
    for term, b in zip(terms, owner, strict=True):
        z = term.z
        if root_weights is not None:
            z = z * root_weights.reshape(-1, *[1] * (z.ndim - 1))
        rows = len(z) if n is None else n
        if z.ndim == 2:
            z, transform = whiten(z, rows)
        else:
            flat, transform = whiten(z.reshape(-1, term.k), rows)
            z = flat.reshape(z.shape)
        transforms.append(transform)
        bases[b].append(z)
    blocks = []
    for term, pieces in zip(shared, bases, strict=True):
        z = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-1)
        unit = z.ndim == 2 and z.shape[1] == 1 and bool((z == 1.0).all())
        blocks.append(Block(term.codes, z, term.n_levels, unit))
    return blocks, make_layout(terms, owner, transforms)


def white_blocks(blocks: Sequence[Block], at: ResidualAt) -> list[Block]:
    """Blocks with rows whitened by residuals R, one multiplication for all."""
    if not len(blocks):
        return []
    flat = [block.z.reshape(len(block.z), -1) for block in blocks]
    stops = np.cumsum([z.shape[1] for z in flat])[:-1]
    pieces = np.split(at.whiten(np.hstack(flat)), stops, axis=1)
    return [replace(b, z=z.reshape(b.z.shape), unit=False) for b, z in zip(blocks, pieces, strict=True)]


def make_layout(terms: Sequence[RandomTerm], owner: Sequence[int], whiten: Sequence[np.ndarray]) -> BlockLayout:
    """Lay out the blocks.

    Parameters
    ----------
    terms : sequence of RandomTerm
        In theta order.
    owner : sequence of int
        Block of each term, counted from 0 in the order in which they first occur.
    whiten : sequence of ndarray (k, k)
        T of each term; see `mixedsparse.core.problem.whitening`.
    """
    layout = ThetaLayout.of(terms)
    n_levels = {b: term.n_levels for b, term in zip(owner, terms, strict=True)}
    starts, widths, block, row, col = _places(layout.widths, tuple(owner))
    return BlockLayout(
        widths=widths,
        n_levels=tuple(n_levels[b] for b in range(len(widths))),
        block=block,
        row=row,
        col=col,
        to_block=_whitening_of_theta(layout, whiten),
        term_block=tuple(owner),
        term_start=starts,
        whiten=tuple(whiten),
    )


@lru_cache(maxsize=256)
def _places(
    term_widths: tuple[int, ...], owner: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]:
    """First column of each term in its block, widths of blocks, and block, row and column of the entries of theta."""
    layout = ThetaLayout.of_widths(term_widths)
    starts, widths = [], [0] * (max(owner, default=-1) + 1)
    for k, b in zip(term_widths, owner, strict=True):
        starts.append(widths[b])
        widths[b] += k
    start = np.array(starts, dtype=int)[layout.term]
    found = np.array(owner, dtype=int)[layout.term], layout.row + start, layout.col + start
    for array in found:
        array.flags.writeable = False
    return tuple(starts), tuple(widths), *found


def _shared_factors(terms: Sequence[RandomTerm]) -> tuple[list[int], list[RandomTerm]]:
    """Block of each term, and the first term of each block."""
    owner: list[int] = []
    first: list[RandomTerm] = []
    for term in terms:
        for b, other in enumerate(first):
            same = term.codes is other.codes or np.array_equal(term.codes, other.codes)
            if same and term.n_levels == other.n_levels and same_relationship(term.precision, other.precision):
                owner.append(b)
                break
        else:
            owner.append(len(first))
            first.append(term)
    return owner, first


def _whitening_of_theta(layout: ThetaLayout, whiten: Sequence[np.ndarray]) -> np.ndarray:
    """Matrix (m, m) of the linear map theta -> theta of T_t Lambda_t."""
    out, start = np.zeros((layout.size, layout.size)), 0
    for transform in whiten:
        for column in range(len(transform)):  # theta has what is below the diagonal of each column, one by one
            stop = start + len(transform) - column
            out[start:stop, start:stop] = transform[column:, column:]
            start = stop
    return out


def effect_major(vectors: np.ndarray) -> np.ndarray:
    """Rows (K levels, r) of block vectors (levels, K, r): all levels of one effect together."""
    levels, k, r = vectors.shape
    return vectors.swapaxes(0, 1).reshape(levels * k, r)
