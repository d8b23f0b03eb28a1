"""`Parameters`: a model and values of its parameters, estimated or hypothesised, as arrays and names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.data.formula.design import Design
    from mixedsparse.fitted.model import Model

__all__ = ["Hypothesis", "Parameters"]


class Parameters:
    """A model with values of its parameters, and the names that labels are made of.

    What needs no more than these, such as the covariance of random effects or a simulation, takes a `Parameters`; what
    rests on the evidence of data takes a `mixedsparse.fitted.fitted.Fitted`, which is one.

    Attributes
    ----------
    model : Model
    beta : ndarray, shape (p,)
        Coefficients of the columns of X that were kept.
    theta : ndarray, shape (m,)
        Relative covariance parameters, terms in theta order, lower triangles column by column.
    sigma2 : float
        Residual variance, in y^2.
    templates : sequence of ndarray (k, k)
        Lambda_t of each term, theta order.
    reml : bool
        Criterion by which the model is fitted.
    modes : sequence of ndarray (levels, k)
        What is known of the random effects of each term: their conditional modes, 0 where nothing was observed.
    """

    model: Model
    beta: np.ndarray
    theta: np.ndarray
    sigma2: float
    reml: bool
    templates: Sequence[np.ndarray]
    modes: Sequence[np.ndarray]

    @property
    def problem(self) -> Problem:
        """Cross-products of the model."""
        return self.model.problem

    @property
    def design(self) -> Design:
        """Response, columns and terms of the model."""
        return self.model.design

    @property
    def has_residual(self) -> bool:
        """Whether there is a residual variance beside those of the random effects."""
        return True

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return self.problem.n

    @property
    def npar(self) -> int:
        """Number of parameters: fixed effects, covariance parameters of random effects and residuals, sigma."""
        residual = self.model.residual
        return self.problem.p + self.problem.n_covariance + 1 + (0 if residual is None else residual.size)

    @cached_property
    def x_names(self) -> list[str]:
        """Names of the columns of X that were kept, (p,)."""
        return [self.design.x_names[i] for i in self.problem.basis.kept]

    @cached_property
    def dropped_columns(self) -> list[str]:
        """Columns of X left out because they are linear combinations of earlier ones, in formula order."""
        return list(self.model.dropped_columns)

    @property
    def sigma(self) -> float:
        """Residual standard deviation, in units of y."""
        return math.sqrt(self.sigma2)

    @property
    def scale_parameter(self) -> tuple[str, float] | None:
        """Name and value of the parameter that says how responses vary around their means; None without one."""
        return "sigma", self.sigma

    @cached_property
    def terms_of(self) -> dict[str, list[int]]:
        """Grouping factor -> its terms, by position in theta order (formula order within a factor)."""
        out: dict[str, list[int]] = {}
        for position, term in enumerate(self.problem.terms):
            out.setdefault(term.group, []).append(position)
        return out

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return {group: self.problem.terms[terms[0]].n_levels for group, terms in self.terms_of.items()}

    def effects_of(self, group: str) -> list[str]:
        """Names of the random effects of one grouping factor, its terms side by side."""
        return [name for t in self.terms_of[group] for name in self.problem.terms[t].columns]

    @cached_property
    def term_labels(self) -> list[str]:
        """Name of the grouping factor of each term, made unique: g, g.1, g.2, ..."""
        labels: list[str] = []
        taken = set(self.terms_of)
        for t, term in enumerate(self.problem.terms):
            label, number = term.group, 0
            while t != self.terms_of[term.group][0] and label in taken:
                number += 1
                label = f"{term.group}.{number}"
            taken.add(label)
            labels.append(label)
        return labels

    def covariance(self, term: int) -> np.ndarray:
        """Covariance matrix sigma^2 Lambda Lambda' (k, k) of the random effects of one term."""
        lam = self.templates[term]
        return self.sigma2 * (lam @ lam.T)

    @property
    def X(self) -> np.ndarray:
        """Columns of the fixed-effects design that were kept, (n, p)."""
        return self.design.X[:, self.problem.basis.kept]

    @property
    def weights(self) -> np.ndarray | None:
        """Prior weights (n,), or None when all are 1."""
        root = self.problem.root_weights
        return None if root is None else root**2


@dataclass(frozen=True, eq=False)
class Hypothesis(Parameters):
    """Parameters that somebody thinks of, before there are data.

    Attributes
    ----------
    model : Model
    beta : ndarray, shape (p,)
    theta : ndarray, shape (m,)
    sigma2 : float
    reml : bool
        Criterion by which responses will be fitted.
    """

    model: Model
    beta: np.ndarray
    theta: np.ndarray
    sigma2: float
    reml: bool = True

    @cached_property
    def templates(self) -> list[np.ndarray]:
        """Lambda_t (k, k) of each term, theta order."""
        return self.problem.theta_layout.templates(self.theta)

    @property
    def modes(self) -> list[np.ndarray]:
        """Zeros: nothing was observed."""
        return [np.zeros((term.n_levels, term.k)) for term in self.problem.terms]
