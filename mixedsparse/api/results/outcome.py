"""How the search for theta ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.core.fitting.certificate import Certificate
from mixedsparse.ground.progress import Iteration

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
