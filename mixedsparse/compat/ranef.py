"""Random effects group by group: those of the group itself, then its levels of each component."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.compat.structure import Structure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mixedsparse.api.results import MixedResults
    from mixedsparse.core.problem.problem import Problem

__all__ = ["conditional_covariances", "conditional_means"]


@dataclass(frozen=True, slots=True, eq=False)
class _ByGroup:
    """Random effects sorted by group: `column` of Z (q,), `label` (q,), and where each group starts (groups + 1,)."""

    column: np.ndarray
    label: np.ndarray
    starts: np.ndarray

    def spans(self, groups: np.ndarray) -> Iterator[tuple[Any, slice]]:
        for g, label in enumerate(groups.tolist()):
            yield label, slice(self.starts[g], self.starts[g + 1])


def conditional_means(mixed: MixedResults, structure: Structure, n_re: int) -> dict[Any, pd.Series]:
    """Conditional modes, group -> Series over its effects."""
    layout = _by_group(mixed.model.problem, structure, n_re)
    modes = mixed.get("b")[layout.column]
    return {g: pd.Series(modes[span], index=layout.label[span]) for g, span in layout.spans(structure.groups)}


def conditional_covariances(mixed: MixedResults, structure: Structure, n_re: int) -> dict[Any, pd.DataFrame]:
    """Var(b_g | y) = sigma^2 L (L'Z_g'Z_g L + I)^-1 L', group -> DataFrame over its effects.

    Dense: with one group as many rows and columns as there are random effects.
    """
    layout = _by_group(mixed.model.problem, structure, n_re)
    Lam = mixed.get("Lam")[:, layout.column][layout.column].tocsr()
    ZL = mixed.get("Z")[:, layout.column] @ Lam
    M = (ZL.T @ ZL).tocsr()
    out = {}
    for g, span in layout.spans(structure.groups):
        lam, m = Lam[span, span].toarray(), M[span, span].toarray()
        cov = mixed.scale * (lam @ np.linalg.solve(m + np.eye(len(m)), lam.T))
        out[g] = pd.DataFrame(0.5 * (cov + cov.T), index=layout.label[span], columns=layout.label[span])
    return out


def _by_group(problem: Problem, structure: Structure, n_re: int) -> _ByGroup:
    sizes = [term.n_levels * term.k for term in problem.terms]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = [problem.order.index(position) for position in range(len(sizes))]  # of the formula's terms in Z
    groups = np.arange(len(structure.groups))
    group, label, column = [], [], []
    names = iter(structure.re_names)
    for place in places[:n_re]:
        k = problem.terms[place].k
        for j in range(k):
            group.append(groups)
            label.append(np.full(len(groups), next(names), dtype=object))
            column.append(starts[place] + groups * k + j)
    parts = [part for component in structure.components for part in component.parts]
    for place, part in zip(places[n_re:], parts, strict=True):
        there = np.flatnonzero(part.labels != "")
        group.append(part.group[there])
        label.append(part.labels[there])
        column.append(starts[place] + there)
    owner = np.concatenate(group)
    order = np.argsort(owner, kind="stable")
    ends = np.cumsum(np.bincount(owner, minlength=len(groups)))
    return _ByGroup(np.concatenate(column)[order], np.concatenate(label)[order], np.concatenate([[0], ends]))
