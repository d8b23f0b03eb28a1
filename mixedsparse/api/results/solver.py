"""How the numbers were computed, and what that costs: of linear and of generalized fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.core.fitting.estimates import MonteCarlo

if TYPE_CHECKING:
    from mixedsparse.report.cost import CostReport

__all__ = ["SolverMixin"]


class SolverMixin(ResultsBase):
    """Method, cost and Monte-Carlo errors."""

    @property
    def monte_carlo(self) -> MonteCarlo | None:
        """Monte-Carlo errors of an iterative fit; None after a direct fit, where every number is exact.

        Returns
        -------
        MonteCarlo or None
            ``theta_error`` (m,), ``beta_error`` (p,), ``sigma2_error``, ``criterion_error`` (that of `llf` is half of
            it): one standard deviation over seeds; ``share``: the largest error of an estimate over its standard
            error; ``probes``, ``seed``, ``solves``, ``cg_iterations``.
        """
        return self.fit.monte_carlo

    @property
    def cost(self) -> CostReport:
        """What a fit of the model costs, and the method that ``method="auto"`` takes; see `LinearMixedModel.cost`."""
        from mixedsparse.report.cost import CostReport

        return CostReport.of(self.model.engines.foresee())

    @property
    def solver(self) -> str:
        """``"direct"`` or ``"iterative"``: the method by which these results were computed."""
        return "iterative" if self._fitted.iterative else "direct"
