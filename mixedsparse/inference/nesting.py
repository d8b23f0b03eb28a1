"""Factors nested in others: each level belongs to one combination of levels of these, as strains to genotypes.

They are found as R's emmeans finds them: from the cells that the data determine (each level of a factor stands with one
level of another), and from the terms (``geno + geno:strain`` without ``strain``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

__all__ = ["add_groups", "existing", "find_nesting", "nest_shares"]


def find_nesting(
    names: Sequence[str], determined: np.ndarray, terms: Collection[frozenset[str]]
) -> dict[str, tuple[str, ...]]:
    """Nested factors, each with the factors that it is nested in.

    Parameters
    ----------
    names : sequence of str
        Factors, an axis each.
    determined : ndarray of bool, one axis per factor
        Cells whose means the data determine.
    terms : collection of frozenset of str
        Variables of each term.
    """
    found: dict[str, list[str]] = {}
    for i, name in enumerate(names):
        for j, other in enumerate(names):
            if i == j or name in found.get(other, ()):
                continue
            pairs = determined.any(axis=tuple(k for k in range(len(names)) if k not in (i, j)))
            pairs = pairs if i < j else pairs.T
            # A factor of which one level alone is determined, for whatever reason, is no group.
            if pairs.sum(axis=1).max() == 1 and pairs.any(axis=0).sum() > 1:
                found.setdefault(name, []).append(other)
    for name in names:
        for group in _groups_by_terms(name, names, terms):
            if group not in found.setdefault(name, []):
                found[name].append(group)
    closed = {
        name: tuple(dict.fromkeys([*(far for group in groups for far in found.get(group, ())), *groups]))
        for name, groups in found.items()
    }
    return {name: groups for name, groups in closed.items() if groups and name not in groups}


def _groups_by_terms(name: str, names: Sequence[str], terms: Collection[frozenset[str]]) -> list[str]:
    """Factors that `name` is nested in by the terms: it has no main effect, and they are what stands in its place."""
    mine = [term for term in terms if name in term]
    if not mine or frozenset([name]) in terms:
        return []
    after_margin = [term for term in mine if term - {name} in terms]
    groups = [
        {other for other in term - {name} if other in names and term - {other} not in terms}
        for term in after_margin or mine
    ]
    least = [one for one in groups if not any(other < one for other in groups)]
    return [other for other in names if any(other in one for one in least)]


def add_groups(
    nesting: Mapping[str, Sequence[str]], factors: Sequence[str], by: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Let nested factors, which say nothing alone, bring the factors that they are nested in."""
    by = tuple(dict.fromkeys([*(group for name in by for group in nesting.get(name, ())), *by]))
    groups = (group for name in factors for group in nesting.get(name, ()))
    return tuple(name for name in dict.fromkeys([*factors, *groups]) if name not in by), by


def existing(
    names: Sequence[str], determined: np.ndarray, nesting: Mapping[str, Sequence[str]], name: str
) -> np.ndarray:
    """Where the levels of the nested factor `name` occur in its groups; axes of `determined`, 1 for all others."""
    kept = {name, *nesting[name]}
    return determined.any(axis=tuple(axis for axis, other in enumerate(names) if other not in kept), keepdims=True)


def nest_shares(
    names: Sequence[str],
    determined: np.ndarray,
    nesting: Mapping[str, Sequence[str]],
    over: Collection[str],
    equal: bool,
) -> np.ndarray:
    """Weights of cells in an average `over` factors: of nested ones, the levels that occur in each of their groups.

    `equal` shares each group equally between them, so that means of groups are averaged next.
    """
    out = np.ones(determined.shape)
    for name in nesting:
        if name in over:
            there = existing(names, determined, nesting, name).astype(float)
            count = there.sum(axis=list(names).index(name), keepdims=True)
            out = out * (there / np.maximum(count, 1.0) if equal else there)
    return out
