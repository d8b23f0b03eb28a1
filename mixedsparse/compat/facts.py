"""What statsmodels' model objects tell of themselves: arrays, names and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from mixedsparse.compat.structure import Structure
    from mixedsparse.model import LinearMixedModel

__all__ = ["FactsMixin"]


class FactsMixin:
    """Facts of `MixedLM`, read off the linear model and its structure."""

    linear: LinearMixedModel
    structure: Structure

    @property
    def formula(self) -> str:
        """Formula with bars, as `mixedsparse.lmer` reads it (made up for a model from arrays)."""
        return self.linear.formula

    @property
    def endog(self) -> np.ndarray:
        """Response (n,)."""
        return self.linear.design.y

    @property
    def exog(self) -> np.ndarray:
        """Fixed-effects design (n, k_fe), columns that are linear combinations of others left out."""
        return self.linear.design.X[:, self.linear.problem.basis.kept[self.structure.fe_order]]

    @property
    def endog_names(self) -> str:
        """Name of the response."""
        return self.linear.design.response

    @property
    def exog_names(self) -> list[str]:
        """Names of the columns of `exog`."""
        return [self.linear.design.x_names[j] for j in self.linear.problem.basis.kept[self.structure.fe_order]]

    @property
    def group_labels(self) -> list[Any]:
        """Labels of the groups."""
        return self.structure.groups.tolist()

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.structure.groups)

    @property
    def nobs(self) -> int:
        """Number of observations."""
        return self.linear.problem.n

    @property
    def k_fe(self) -> int:
        """Number of fixed effects."""
        return self.linear.problem.p

    @property
    def k_re(self) -> int:
        """Number of random effects of a group, components apart."""
        return self.structure.k_re

    @property
    def k_re2(self) -> int:
        """Number of parameters of cov_re."""
        return len(self.structure.re_params)

    @property
    def k_vc(self) -> int:
        """Number of variance components."""
        return len(self.structure.components)
