"""Why covariance parameters are not identified, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mixedsparse.core.problem.problem import Problem
from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["Component", "describe"]

# Share of its length that a column keeps beyond the others of its term, or that counts as 0.
_NEW = 1e-6
# Names that a clause spells out.
_SHOWN = 6

Entry = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Component:
    """Parameters of which the data tell a combination at most.

    Attributes
    ----------
    entries : frozenset of (term, row, column)
        Covariances that are not identified, terms in theta order, row >= column.
    residual : bool
        Whether the residual variance is one of them.
    names : tuple of str
        The parameters as ``conf_int`` names them.
    reason : str
        A clause.
    held : bool
        Whether each entry is not identified by itself, as where the fixed effects fit every level.
    """

    entries: frozenset[Entry]
    residual: bool
    names: tuple[str, ...]
    reason: str
    held: bool


def describe(problem: Problem, entries: frozenset[Entry], residual: bool, alone: set[Entry]) -> Component:
    """Put one component into words; `alone` are the entries that are not identified each by itself."""
    names = _names(problem, entries) + (("sigma",) if residual else ())
    listed = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    held = bool(entries) and alone == set(entries) and not residual
    verb = "say nothing on" if held else "cannot tell apart"
    reason = f"the data {verb} {listed}, since {_why(problem, entries, residual, alone)}"
    return Component(entries, residual, names, reason, held)


def _names(problem: Problem, entries: frozenset[Entry]) -> tuple[str, ...]:
    """Name the standard deviations and correlations that the entries make."""
    out = []
    for t in sorted({t for t, _, _ in entries}):
        term = problem.terms[t]
        loose = {i for owner, i, j in entries if owner == t and i == j}
        if term.structure is not None:
            out += _of_structure(term, loose)
            continue
        out += [f"sd({term.columns[i]}|{term.group})" for i in sorted(loose)]
        for j in range(term.k):
            for i in range(j + 1, term.k):
                if (t, i, j) in entries or i in loose or j in loose:
                    out.append(f"cor({term.columns[j]},{term.columns[i]}|{term.group})")
    return tuple(out)


def _of_structure(term: RandomTerm, loose: set[int]) -> list[str]:
    """Name what a structured covariance is reported by: of the effects `loose`, or of all of them."""
    assert term.structure is not None
    found = term.structure.natural(term.structure.start(np.eye(term.k)))
    moved = [q for q in found if q.kind == "cor" or (loose and (not q.effects or loose.intersection(q.effects)))]
    return [q.name(term.columns, term.group) for q in moved]


def _why(problem: Problem, entries: frozenset[Entry], residual: bool, alone: set[Entry]) -> str:
    terms = sorted({t for t, _, _ in entries})
    groups = list(dict.fromkeys(problem.terms[t].group for t in terms))
    if residual:
        several = any(problem.terms[t].k > 1 for t in terms)
        mend = f" (for the covariance of the rows within {groups[0]} give residual='us(visit | {groups[0]})')" * several
        return f"the random effects of {_joined(groups)} and the residuals give the rows the same covariance{mend}"
    effects = {(t, i) for t, *pair in entries for i in pair}
    empty = [problem.terms[t].columns[i] for t, i in sorted(effects) if _is_zero(problem, t, i)]
    if empty:
        return f"{_joined(empty)} {'is' if len(empty) == 1 else 'are'} 0 in every row"
    held = sorted({t_i for t_i in effects if (t_i[0], t_i[1], t_i[1]) in alone})
    if held:
        what = _joined([problem.terms[t].columns[i] for t, i in held])
        if all(_is_constant(problem, t, i) for t, i in held):
            return f"the fixed effects fit every level of {_joined(groups)} already"
        return f"the fixed effects fit {what} within every level of {_joined(groups)} already"
    if len(groups) > 1 and all(_alike(problem, terms[0], t) for t in terms[1:]):
        return f"{_joined(groups)} group the rows alike"
    if len({problem.layout.term_block[t] for t in terms}) == 1:
        names = _joined([problem.terms[t].columns[i] for t, i in sorted(effects)])
        if _dependent(problem, sorted(effects)):
            return f"{names} are linear combinations of each other"
        if not any(i == j for _, i, j in entries):
            return f"no level of {groups[0]} tells them together"
        return f"{names} take too few different values in the levels of {groups[0]}"
    return "what some of these add to the covariance of the rows, others can take away"


def _is_zero(problem: Problem, term: int, effect: int) -> bool:
    b, at = problem.layout.term_block[term], problem.layout.term_start[term] + effect
    return not problem.grams[b][:, at, at].any()


def _is_constant(problem: Problem, term: int, effect: int) -> bool:
    return problem.terms[term].columns[effect] == "Intercept"


def _dependent(problem: Problem, effects: list[tuple[int, int]]) -> bool:
    """Whether the columns of some effects of one block are linearly dependent over the rows."""
    layout, first = problem.layout, problem.layout.term_block[effects[0][0]]
    total = problem.grams[first].sum(axis=0)
    back = np.zeros_like(total)
    for b, start, whiten in zip(layout.term_block, layout.term_start, layout.whiten, strict=True):
        if b == first:
            back[start : start + len(whiten), start : start + len(whiten)] = whiten
    at = [layout.term_start[t] + i for t, i in effects]
    gram = (back.T @ total @ back)[np.ix_(at, at)]
    size = np.sqrt(np.diagonal(gram))
    values = np.linalg.eigvalsh(gram / np.outer(size, size))
    return bool(values[0] < _NEW**2)


def _alike(problem: Problem, s: int, t: int) -> bool:
    """Whether two terms put the same rows together, whatever their levels are called."""
    layout = problem.layout
    one, other = sorted((layout.term_block[s], layout.term_block[t]))
    if one == other:
        return True
    levels = {layout.n_levels[one], layout.n_levels[other]}
    return levels == {len(problem.pairs[one, other].indices)}


def _joined(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
