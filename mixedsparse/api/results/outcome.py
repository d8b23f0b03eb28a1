"""How the search for theta ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.core.fitting.certificate import Certificate
from mixedsparse.core.fitting.estimates import MonteCarlo
from mixedsparse.ground.progress import Iteration

if TYPE_CHECKING:
    from mixedsparse.report.cost import CostReport

__all__ = ["OptimResult", "OutcomeMixin"]


@dataclass(frozen=True, slots=True)
class OptimResult:
    """Course of the search for theta.

    Attributes
    ----------
    nfev, nit : int
        Evaluations of the criterion by the search whose end this is, without those of the other starts that
        `Certificate.starts` counts; its accepted steps.
    grad_norm : float
        Scaled gradient sqrt(g' H^-1 g) where the search ended: half its square is the fall that is left.
    message : str
        Verdict as a sentence.
    seconds : float
        Wall-clock time of the search.
    path : tuple of Iteration
        Number, evaluations, criterion, gradient and step of each accepted point.
    """

    nfev: int
    nit: int
    grad_norm: float
    message: str
    seconds: float
    path: tuple[Iteration, ...] = field(repr=False)


class OutcomeMixin(ResultsBase):
    """Convergence side of `MixedResults`."""

    @property
    def certificate(self) -> Certificate:
        """Evidence for the optimum: gradient, curvature, directions without variance, verdict in words."""
        return self.fit.certificate

    @property
    def converged(self) -> bool:
        """Whether the search ended at an optimum, inside or on the boundary, identified or not (see `certificate`)."""
        return self._fitted.converged

    @property
    def singular(self) -> bool:
        """Whether some direction of the random effects has no variance; `certificate` names it."""
        return self._fitted.singular

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

    @property
    def optim(self) -> OptimResult:
        """Course of the search: evaluations, steps, gradient, message, seconds, path."""
        search, certificate = self.fit.search, self.fit.certificate
        return OptimResult(
            nfev=search.nfev,
            nit=search.nit,
            grad_norm=certificate.scaled_gradient,
            message=certificate.message,
            seconds=search.seconds,
            path=search.path,
        )
