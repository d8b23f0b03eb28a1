"""What the terms of a model are to statsmodels: random effects of the groups, then variance components."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.api.model import LinearMixedModel
from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.edits import sums_only
from mixedsparse.core.problem.sums import PlainSums
from mixedsparse.data.formula.random_terms import column_terms, with_columns

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.data.formula.design import Design
    from mixedsparse.fitted.model import Model

__all__ = [
    "Component",
    "Effects",
    "FixedColumns",
    "Structure",
    "covariance_names",
    "make_model",
    "permuted",
    "uncorrelated",
    "without_rows",
]


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """Effects of one term, level by level.

    Attributes
    ----------
    group : ndarray of int, shape (levels,)
        Group that each level belongs to.
    labels : ndarray of str, shape (levels,)
        statsmodels' name of each effect, ``classroom[C(classroom)[a]]``; empty for one that is not there.
    """

    group: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """One variance component: a term with one column, or several of one common variance (`parts`)."""

    name: str
    parts: tuple[Effects, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FixedColumns:
    """The columns of the fixed part as statsmodels has them.

    Attributes
    ----------
    order : ndarray of int, shape (k_fe,)
        Place of each among the columns of the design.
    names : tuple of str, length k_fe
    terms : dict
        Name of each term -> its columns, by their number here; empty for a design from arrays.
    """

    order: np.ndarray
    names: tuple[Hashable, ...]
    terms: Mapping[str, np.ndarray] = field(default_factory=dict)

    def among(self, kept: Sequence[int]) -> FixedColumns:
        """Return what is left when the design has the columns `kept` only."""
        place = {column: i for i, column in enumerate(kept)}
        stay = [i for i, column in enumerate(self.order) if column in place]
        number = {i: new for new, i in enumerate(stay)}
        terms = {
            name: np.array([number[i] for i in columns if i in number], dtype=np.intp)
            for name, columns in self.terms.items()
        }
        order = np.array([place[self.order[i]] for i in stay], dtype=np.intp)
        return FixedColumns(order, tuple(self.names[i] for i in stay), {n: c for n, c in terms.items() if len(c)})


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """How statsmodels sees a design whose terms are the groups' random effects, if any, and then the components.

    Attributes
    ----------
    groups : ndarray, shape (n_groups,)
        Labels of the groups.
    sizes : ndarray of int, shape (n_groups,)
        Rows of each group.
    codes : ndarray of int, shape (n,)
        Group of each row.
    re_names : tuple of str, length k_re
        Columns of exog_re.
    re_params : tuple of str, length k_re (k_re + 1) / 2
        Names of the lower triangle of cov_re, row by row.
    components : tuple of Component
        By name.
    fixed : FixedColumns
        Of the fixed effects that are estimated.
    """

    groups: np.ndarray
    sizes: np.ndarray
    codes: np.ndarray
    re_names: tuple[str, ...]
    re_params: tuple[str, ...]
    components: tuple[Component, ...]
    fixed: FixedColumns

    @property
    def fe_order(self) -> np.ndarray:
        """Place of each fixed effect among those of the design that are estimated, shape (k_fe,)."""
        return self.fixed.order

    @property
    def owners(self) -> list[int]:
        """Component of each term that belongs to one, in the order of the formula."""
        return [i for i, component in enumerate(self.components) for _ in component.parts]

    @property
    def is_tied(self) -> bool:
        """Whether several terms have a common variance."""
        return len(self.owners) > len(self.components)

    def shared(self, problem: Problem, n_re: int) -> np.ndarray:
        """Return the number (m,) of the parameter that each entry of theta is, one for each variance or covariance.

        The first `n_re` terms of the formula of `problem` are the groups' random effects.
        """
        layout, owners, order = problem.theta_layout, self.owners, problem.order
        keys = [(1, owners[order[t] - n_re]) if order[t] >= n_re else (0, i) for i, t in enumerate(layout.term)]
        number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        return np.array([number[key] for key in keys])

    @property
    def k_re(self) -> int:
        """Number of random effects of a group, components apart."""
        return len(self.re_names)

    @property
    def parameter_names(self) -> list[str]:
        """Names of the covariance parameters."""
        return [*self.re_params, *(f"{component.name} Var" for component in self.components)]

    def with_kept(self, kept: Sequence[int]) -> Structure:
        """Structure when only the columns `kept` of the fixed part are estimated."""
        return replace(self, fixed=self.fixed.among(kept))


def covariance_names(re_names: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the lower triangle of cov_re, row by row."""

    def names() -> Iterator[str]:
        for i, row in enumerate(re_names):
            yield from (f"{column} x {row} Cov" for column in re_names[:i])
            yield f"{row} Var"

    return tuple(names())


def make_model(design: Design) -> LinearMixedModel:
    """Model of a design that is made already."""
    return LinearMixedModel.of_design(design)


def without_rows(model: Model) -> LinearMixedModel:
    """Model that keeps of the response and the fixed part what was summed over them."""
    design = model.design
    # With a column of ones in front the first row holds the means of the others.
    root = np.linalg.qr(np.column_stack([np.ones(len(design.X)), design.X]), mode="r")[:, 1:]
    plain = PlainSums(root, tuple(term.z.T @ term.z / len(term.z) for term in design.terms))
    without = replace(design, y=ELSEWHERE, X=ELSEWHERE, source=None, plain=plain)
    return LinearMixedModel.of_design(without, sums_only(model.problem))


def uncorrelated(design: Design, position: int = 0) -> Design:
    """`design` with one of its terms split into one term per column."""
    terms, encoding = list(design.terms), design.encoding
    terms[position : position + 1] = column_terms(terms[position])
    if encoding is not None:
        encodings = list(encoding.terms)
        encodings[position : position + 1] = encodings[position].by_column()
        encoding = replace(encoding, terms=tuple(encodings))
    return replace(design, terms=tuple(terms), encoding=encoding)


def permuted(design: Design, order: list[int]) -> Design:
    """`design` with the columns of its first term in another order; new data are past it."""
    return replace(design, terms=(with_columns(design.terms[0], order), *design.terms[1:]), encoding=None)
