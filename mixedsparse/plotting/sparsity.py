"""Patterns of Z'Z and of its Cholesky factor as the engine keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.matrices import design_of_modes
from mixedsparse.plotting.axes import panels
from mixedsparse.plotting.looks import QUIET, colour_bar
from mixedsparse.plotting.words import wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["Pattern", "factor_pattern", "gram_pattern", "sparsity"]

# Cells of the picture in each direction; larger matrices are shaded by the share of entries in a cell.
_CELLS = 300
# Characters in a line of the name of a factor.
_NAME = 20
# Shade of a cell with a single entry among very many.
_FAINTEST = 0.4
_MARKS = (0.01, 0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True, eq=False)
class Pattern:
    """Positions of the entries of a (q, q) matrix.

    Attributes
    ----------
    q : int
    rows, columns : ndarray of int, shape (nnz,)
        Entries that are listed.
    dense_from : int
        Row from which on the lower triangle is full and not listed; q if there is no such row.
    runs : dict
        Grouping factor -> its first row, and the row after its last; empty where the order is mixed.
    """

    q: int
    rows: np.ndarray
    columns: np.ndarray
    dense_from: int
    runs: dict[str, tuple[int, int]]

    @property
    def nnz(self) -> int:
        """Number of entries."""
        size = self.q - self.dense_from
        return len(self.rows) + size * (size + 1) // 2

    def shares(self) -> np.ndarray:
        """Share of the places of each cell of the picture that hold entries, (cells, cells)."""
        cells = min(self.q, _CELLS)
        at = np.arange(self.q) * cells // self.q
        width = np.bincount(at, minlength=cells)
        counts = np.bincount(at[self.rows] * cells + at[self.columns], minlength=cells**2).reshape(cells, cells)
        if self.dense_from < self.q:
            start = at[self.dense_from]
            counts[start:, start:] = np.maximum(counts[start:, start:], np.tril(np.outer(width, width)[start:, start:]))
        return counts / np.outer(width, width)


def gram_pattern(fitted: Fitted) -> Pattern:
    """Pattern of Z'Z, factor by factor, all effects of a level side by side."""
    rank = list(range(len(fitted.problem.layout.widths)))
    return _ordered_gram(fitted, rank)


def factor_pattern(fitted: Fitted) -> Pattern:
    """Pattern of L, L L' = Lambda'Z'Z Lambda + I up to the engine's order of rows."""
    fitted.needs("factor", "The pattern of the factor")
    engine = fitted.model.engine()
    if engine.name == "cholmod":
        engine.factorize(fitted.fit.search.pls.lams)
        factor = engine.cholesky.lower_factor().tocoo()
        return Pattern(factor.shape[0], factor.row, factor.col, factor.shape[0], {})
    layout = fitted.problem.layout
    rank = sorted(range(len(layout.widths)), key=lambda block: block != engine.first)
    gram = _ordered_gram(fitted, rank)
    eliminated = 0 if engine.first is None else layout.widths[engine.first] * layout.n_levels[engine.first]
    listed = (gram.rows >= gram.columns) & (gram.columns < eliminated)
    return Pattern(gram.q, gram.rows[listed], gram.columns[listed], eliminated, gram.runs)


def _ordered_gram(fitted: Fitted, order: list[int]) -> Pattern:
    """Pattern of Z'Z with the blocks (grouping factors) in this order."""
    problem, layout = fitted.problem, fitted.problem.layout
    Z = design_of_modes(fitted)
    present = sparse.csr_array((np.ones(Z.nnz, dtype=np.int32), Z.indices, Z.indptr), shape=Z.shape)
    gram = (present.T @ present).tocoo()
    sizes = [layout.widths[b] * layout.n_levels[b] for b in order]
    starts = dict(zip(order, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    place = np.concatenate(
        [
            (starts[b] + layout.widths[b] * np.arange(term.n_levels)[:, None] + start + np.arange(term.k)).ravel()
            for term, b, start in zip(problem.terms, layout.term_block, layout.term_start, strict=True)
        ]
    )
    names = dict(zip(layout.term_block, [term.group for term in problem.terms], strict=True))
    runs = {names[b]: (starts[b], starts[b] + size) for b, size in zip(order, sizes, strict=True)}
    return Pattern(Z.shape[1], place[gram.row], place[gram.col], Z.shape[1], runs)


def sparsity(fitted: Fitted, ax: Any) -> Any:
    """See `Plots.sparsity`."""
    if not fitted.problem.terms:
        raise OptionError("The model has no random effects: there is nothing to draw.")
    patterns = {"Z'Z": gram_pattern(fitted), "L": factor_pattern(fitted)}
    axes = panels(ax, [f"{name}: {pattern.nnz:,} entries" for name, pattern in patterns.items()], (4.2, 4.8))
    for panel, pattern in zip(axes, patterns.values(), strict=True):
        frame = (-0.5, pattern.q - 0.5, pattern.q - 0.5, -0.5)
        image = panel.imshow(_shade(pattern.shares()), cmap="Greys", vmin=0.0, vmax=1.0, extent=frame, aspect="auto")
        panel.set_box_aspect(1)
        for _, stop in list(pattern.runs.values())[:-1]:
            panel.axhline(stop - 0.5, color=QUIET, linewidth=0.5)
            panel.axvline(stop - 0.5, color=QUIET, linewidth=0.5)
        if pattern.runs:
            middles = [0.5 * (start + stop - 1) for start, stop in pattern.runs.values()]
            panel.set_yticks(middles, [wrapped(name, _NAME) for name in pattern.runs], rotation=90, va="center")
        panel.set_xlabel(f"{pattern.q:,} random effects")
    if max(pattern.q for pattern in patterns.values()) > _CELLS:
        bar = colour_bar(axes[-1], image, "Share of a cell that is filled")
        bar.set_ticks([float(_shade(share)) for share in _MARKS], labels=[f"{100 * share:g} %" for share in _MARKS])
        bar.ax.set_ylim(_FAINTEST, 1.0)
    return axes


def _shade(share: Any) -> np.ndarray:
    return np.where(np.asarray(share) > 0, _FAINTEST + (1.0 - _FAINTEST) * np.sqrt(share), 0.0)
