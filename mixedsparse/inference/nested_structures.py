"""Whether random parts with covariance structures are nested, as likelihood ratios need.

Each structured term of one model must have its place in the other: the covariances that it allows are among those of a
term on the same grouping factor whose effects are the same columns, or span them where that one is unstructured. What
has no place is not known to be nested, and is refused; fits without structures are compared as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.problem.relationship import same_relationship
from mixedsparse.core.structures.reduced_rank import ReducedRank
from mixedsparse.ground.errors import DataError

if TYPE_CHECKING:
    from mixedsparse.core.problem.terms import RandomTerm
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["check_nested_structures"]

# Structure -> structures of the same effects that it is a case of, directly.
_CASE_OF: dict[str, tuple[str, ...]] = {
    "homdiag": ("diag", "homcs", "ar1"),
    "diag": ("cs", "hetar1"),
    "homcs": ("cs", "homtoep"),
    "cs": ("toep",),
    "ar1": ("hetar1", "homtoep"),
    "hetar1": ("toep",),
    "homtoep": ("toep",),
    "toep": ("us",),
    "us": (),
    "rr": ("us",),
}
# Effects that differ by less than this share of their size are the same.
_SAME = 1e-8


def check_nested_structures(models: Sequence[Fitted], labels: Sequence[str]) -> None:
    """Refuse a likelihood ratio of neighbours, by number of parameters, whose structures are not nested.

    Raises
    ------
    DataError
    """
    for i in range(1, len(models)):
        small, large = models[i - 1], models[i]
        terms = [*small.problem.terms, *large.problem.terms]
        if all(term.structure is None for term in terms):
            continue
        reason = _reason(small.problem.terms, large.problem.terms)
        if reason:
            raise DataError(
                f"{labels[i - 1]} is not a case of {labels[i]}: {reason}. A likelihood ratio of models that are not "
                "nested has no chi-square distribution: compare them by AIC, e.g. with ms.compare."
            )


def _reason(small: Sequence[RandomTerm], large: Sequence[RandomTerm]) -> str:
    """Say why the small model is not a case of the large one; empty where it is."""
    taken: dict[int, list[RandomTerm]] = {}
    for term in small:
        same = [j for j, other in enumerate(large) if _same_levels(term, other)]
        if not same:
            return f"{_named(term)} has no counterpart on the levels of {term.group!r}"
        # One with the same columns and structure, if there is one, is the counterpart.
        place = next((j for j in sorted(same, key=lambda j: _rank(term, large[j])) if _is_case(term, large[j])), None)
        if place is None:
            return f"{_named(term)} is not a case of {' or of '.join(_named(large[j]) for j in same)}"
        taken.setdefault(place, []).append(term)
    for j, terms in taken.items():
        if len(terms) > 1 and large[j].structure is not None:
            return f"{' and '.join(_named(term) for term in terms)} together are not a case of {_named(large[j])}"
    return ""


def _rank(term: RandomTerm, other: RandomTerm) -> tuple[bool, bool]:
    """Put terms with the same effects, and among them those with the same structure, first."""
    return not _same_columns(term, other), _kind(term) != _kind(other)


def _is_case(term: RandomTerm, other: RandomTerm) -> bool:
    """Whether the covariances that `term` gives to the rows are among those of `other`, on the same levels."""
    if other.structure is None or _kind(other) == "us":
        return _spanned(_flat(term), _flat(other))
    if _same_columns(term, other):
        if isinstance(term.structure, ReducedRank) and isinstance(other.structure, ReducedRank):
            return term.structure.rank <= other.structure.rank
        return _kind(other) in _above(_kind(term))
    # A random intercept is equal effects of all levels of a factor: correlations of 1, which all but diag have.
    intercept = term.k == 1 and bool(np.ptp(term.z) == 0)
    effects = _flat(other)
    indicators = bool(np.isin(effects, (0.0, 1.0)).all() and (effects.sum(axis=1) == 1.0).all())
    return intercept and indicators and _kind(other) not in ("diag", "homdiag")


def _above(kind: str) -> set[str]:
    """Structures that `kind` is a case of, itself among them."""
    found = {kind}
    for larger in _CASE_OF.get(kind, ()):
        found |= _above(larger)
    return found


def _kind(term: RandomTerm) -> str:
    return "us" if term.structure is None else term.structure.label


def _named(term: RandomTerm) -> str:
    return f"{_kind(term)}({' + '.join(term.columns)} | {term.group})"


def _flat(term: RandomTerm) -> np.ndarray:
    """Effects of the term slot by slot, (n slots, k)."""
    return term.z.reshape(-1, term.k)


def _same_levels(term: RandomTerm, other: RandomTerm) -> bool:
    if not same_relationship(term.precision, other.precision) or term.codes.shape != other.codes.shape:
        return False
    if term.codes is other.codes or term.n_levels != other.n_levels:
        return term.codes is other.codes
    pairs = np.unique(term.codes * other.n_levels + other.codes)
    return len(pairs) == len(np.unique(term.codes)) == len(np.unique(other.codes))


def _same_columns(term: RandomTerm, other: RandomTerm) -> bool:
    """Whether the effects are those of the same columns."""
    return term.z.shape == other.z.shape and bool(np.allclose(term.z, other.z, rtol=_SAME, atol=_SAME))


def _spanned(z: np.ndarray, by: np.ndarray) -> bool:
    """Whether columns z (n, k) are combinations of the columns of `by` (n, m)."""
    left = z - by @ np.linalg.lstsq(by, z, rcond=None)[0]
    return bool(np.abs(left).max(initial=0.0) <= _SAME * np.abs(z).max(initial=0.0))
