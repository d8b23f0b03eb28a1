"""What the terms of a model are to statsmodels: random effects of the groups, then variance components."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.terms import RandomTerm
from mixedsparse.model import LinearMixedModel

if TYPE_CHECKING:
    from mixedsparse.formula.design import Design

__all__ = ["Component", "Structure", "covariance_names", "make_model", "permuted", "uncorrelated"]


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """One variance component.

    Attributes
    ----------
    name : str
    group : ndarray of int, shape (levels,)
        Group that each level belongs to.
    labels : ndarray of str, shape (levels,)
        statsmodels' name of each effect, ``classroom[C(classroom)[a]]``.
    """

    name: str
    group: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """How statsmodels sees a design whose terms are the groups' random effects, if any, and then the components.

    Attributes
    ----------
    groups : ndarray, shape (n_groups,)
        Labels of the groups.
    sizes : ndarray of int, shape (n_groups,)
        Rows of each group.
    re_names : tuple of str, length k_re
        Columns of exog_re.
    re_params : tuple of str, length k_re (k_re + 1) / 2
        Names of the lower triangle of cov_re, row by row.
    components : tuple of Component
        By name.
    fe_order : ndarray of int, shape (k_fe,)
        Place of each fixed effect among those of the design that are estimated.
    """

    groups: np.ndarray
    sizes: np.ndarray
    re_names: tuple[str, ...]
    re_params: tuple[str, ...]
    components: tuple[Component, ...]
    fe_order: np.ndarray

    @property
    def k_re(self) -> int:
        """Number of random effects of a group, components apart."""
        return len(self.re_names)

    @property
    def parameter_names(self) -> list[str]:
        """Names of the covariance parameters."""
        return [*self.re_params, *(f"{component.name} Var" for component in self.components)]

    def with_kept(self, kept: Sequence[int]) -> Structure:
        """Structure when only the columns `kept` of the fixed part are estimated: `fe_order` counts these."""
        place = {column: i for i, column in enumerate(kept)}
        return replace(self, fe_order=np.array([place[j] for j in self.fe_order if j in place], dtype=np.intp))


def covariance_names(re_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the lower triangle of cov_re, row by row."""

    def names() -> Iterator[str]:
        for i, row in enumerate(re_names):
            yield from (f"{column} x {row} Cov" for column in re_names[:i])
            yield f"{row} Var"

    return tuple(names())


def make_model(design: Design) -> LinearMixedModel:
    """Model of a design that is made already."""
    model = LinearMixedModel.__new__(LinearMixedModel)
    model._set_design(design)
    return model


def uncorrelated(design: Design) -> Design:
    """`design` with its first term split into one term per column."""
    first, rest = design.terms[0], design.terms[1:]
    terms = [_columns(first, [j]) for j in range(first.k)]
    encoding = design.encoding
    if encoding is not None:
        split = [replace(encoding.terms[0], column=j) for j in range(first.k)]
        encoding = replace(encoding, terms=(*split, *encoding.terms[1:]))
    return replace(design, terms=(*terms, *rest), encoding=encoding)


def permuted(design: Design, order: list[int]) -> Design:
    """`design` with the columns of its first term in another order; new data are past it."""
    return replace(design, terms=(_columns(design.terms[0], order), *design.terms[1:]), encoding=None)


def _columns(term: RandomTerm, chosen: list[int]) -> RandomTerm:
    return replace(term, z=term.z[:, chosen], columns=tuple(term.columns[j] for j in chosen))
