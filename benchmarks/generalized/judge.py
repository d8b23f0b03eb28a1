"""The judge: one criterion for all engines, as a function of their estimates.

Programs differ in constants, and in how tightly they find the modes on which the criterion rests. So nobody's own
number counts: `GeneralizedLinearMixedModel.objective` gives the -2 log-likelihood by Laplace's approximation at
everybody's coefficients and covariances. It involves no search for parameters; the tests of the package hold it against
dense matrices, lme4 and glmmTMB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.contest.engines.worker import relative_factor
from benchmarks.generalized.problems import GeneralizedProblem

if TYPE_CHECKING:
    from mixedsparse import GeneralizedLinearMixedModel

__all__ = ["GeneralizedJudge"]


class GeneralizedJudge:
    """The judge of `problem`."""

    def __init__(self, problem: GeneralizedProblem) -> None:
        self.problem = problem

    @cached_property
    def model(self) -> GeneralizedLinearMixedModel:
        """The model, made when it is first needed."""
        from mixedsparse import GeneralizedLinearMixedModel

        return GeneralizedLinearMixedModel(self.problem.formula, self.problem.load(), self.problem.family)

    def criterion(self, beta: Sequence[float], covariances: Mapping[str, Sequence[Sequence[float]]]) -> float:
        """Return the -2 log-likelihood at coefficients in the order written, and covariances by grouping factor."""
        theta: list[float] = []
        for term in self.model.design.terms:
            theta += relative_factor(np.asarray(covariances[term.group], dtype=float))
        return float(self.model.objective(theta, beta))
