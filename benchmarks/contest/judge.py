"""The judge: one criterion for all engines, as a function of their variance estimates.

Engines differ in constants, in what they call a deviance, and some report a stochastic approximation. So nobody's own
number counts: `LinearMixedModel.objective` gives the criterion at everybody's theta, profiled over the fixed effects
and the residual variance. It needs no search; the tests of the package hold it against dense matrices and lme4.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from benchmarks.problems import Problem

if TYPE_CHECKING:
    from mixedsparse import LinearMixedModel

__all__ = ["Judge", "ModelJudge", "factor_nonzeros"]


class Judge(Protocol):
    """Criteria of one problem."""

    def criterion(self, theta: Sequence[float], reml: bool) -> float:
        """REML criterion or -2 log-likelihood at `theta`, relative covariance factors of the terms as written."""
        ...

    def best(self, reml: bool) -> float:
        """Lowest criterion known."""
        ...

    def nonzeros(self) -> int:
        """Non-zeros of the factor of mixedsparse."""
        ...


class ModelJudge:
    """The judge of `problem`, by `mixedsparse.LinearMixedModel`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._fitted: dict[bool, float] = {}

    @cached_property
    def model(self) -> LinearMixedModel:
        """The model, made when it is first needed."""
        from mixedsparse import LinearMixedModel

        return LinearMixedModel(self.problem.formula, self.problem.load())

    def criterion(self, theta: Sequence[float], reml: bool) -> float:
        """Evaluate once. The table writes terms by decreasing number of levels, which is the model's order too."""
        return float(self.model.objective(theta, reml=reml))

    def best(self, reml: bool) -> float:
        """Take the table's number, or that of a fit outside the contest where the table has the other criterion."""
        if reml == self.problem.reml and self.problem.best_known is not None:
            return self.problem.best_known
        if reml not in self._fitted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a singular fit
                self._fitted[reml] = float(self.model.fit(reml).criterion)
        return self._fitted[reml]

    def nonzeros(self) -> int:
        """Count for the engine that the model chooses."""
        return factor_nonzeros(self.model)


def factor_nonzeros(model: LinearMixedModel) -> int:
    """Count the non-zeros of L, L L' = M(theta), lower triangle, as the engine of `model` stores or implies them.

    CHOLMOD: its factor in the fill-reducing order. Split: the eliminated blocks' lower triangles, the couplings of
    their levels with the rest, and the rest as a dense lower triangle.
    """
    import numpy as np

    engine, layout = model.engine(), model.problem.layout
    if engine.name == "cholmod":
        engine.factorize([np.eye(k) for k in layout.widths])
        return int(engine.cholesky.lower_factor().nnz)
    sizes = [k * n for k, n in zip(layout.widths, layout.n_levels, strict=True)]
    first = engine.first
    width, rest = layout.widths[first], sum(sizes) - sizes[first]
    couplings = sum(pairs.data.size for key, pairs in model.problem.pairs.items() if first in key)
    return layout.n_levels[first] * width * (width + 1) // 2 + couplings + rest * (rest + 1) // 2
