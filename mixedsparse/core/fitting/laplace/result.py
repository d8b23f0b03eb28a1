"""A generalized fit as arrays, in the user's own units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mixedsparse.core.fitting.estimates import MonteCarlo
from mixedsparse.core.fitting.laplace.verdict import GeneralizedCertificate
from mixedsparse.core.likelihood.family import Family
from mixedsparse.core.likelihood.laplace.criterion import Point
from mixedsparse.core.likelihood.laplace.data import Data
from mixedsparse.ground.progress import Iteration

__all__ = ["GeneralizedFit", "Pieces"]


class Pieces(NamedTuple):
    """Parts of the criterion: -2 sum log f(y | modes), u'u and log|M|; their sum is that by Laplace."""

    conditional: float
    penalty: float
    logdet: float


@dataclass(frozen=True, eq=False)
class GeneralizedFit:
    """The maximum of the likelihood of a generalized linear mixed model.

    Attributes
    ----------
    family : Family
    nodes : int
        Of the quadrature; 1 for Laplace's approximation, 0 for coefficients by penalised least squares (approximate).
    theta : ndarray, shape (m,)
        Entries of Lambda (absolute: no residual variance in front), terms in theta order, lower triangles column by
        column. NaN where there is no estimate.
    templates : tuple of ndarray (k, k)
        Lambda_t of each term, theta order; Lambda Lambda' is the covariance of its effects.
    beta : ndarray, shape (p,)
        Coefficients of the columns of X that were kept; NaN for those that have no finite estimate.
    psi : float
        Log dispersion: of the shape (gamma), the precision (inverse Gaussian), the size (NB2), or of the variance over
        the mean less 1 (NB1). NaN for families without one; as given where it is known.
    modes : tuple of ndarray (levels, k)
        Conditional modes of b, theta order, bases of the user.
    eta : ndarray, shape (n,)
        Linear predictor with modes and offset.
    covariance : ndarray, shape (m + p + 1 or m + p,) twice, or None
        Joint covariance of theta, beta and psi, from the exact Hessian; NaN for parameters that are held on the
        boundary. None where the Hessian is not positive definite.
    conditional : ndarray, shape (p, p)
        Covariance of beta with theta and psi known.
    criterion : float
        -2 log-likelihood, all constants included.
    saturated : float
        -2 log-likelihood of the saturated model, for deviances; NaN for families with a dispersion.
    pieces : Pieces
    certificate : GeneralizedCertificate
    evaluations, factorisations : int
        Of the search, standard errors not included.
    seconds : float
    path : tuple of Iteration
    data : Data
        What was fitted; rows that agree in all but the response are one (see `likelihood.laplace.collapse`).
    point : Point or None
        The end of the search in whitened bases, with M factorised there; None where there was none.
    monte_carlo : MonteCarlo or None
        Errors of an iterative fit; None where every number is exact.
    """

    family: Family
    nodes: int
    theta: np.ndarray
    templates: tuple[np.ndarray, ...]
    beta: np.ndarray
    psi: float
    modes: tuple[np.ndarray, ...]
    eta: np.ndarray
    covariance: np.ndarray | None
    conditional: np.ndarray
    criterion: float
    saturated: float
    pieces: Pieces
    certificate: GeneralizedCertificate
    evaluations: int
    factorisations: int
    seconds: float
    path: tuple[Iteration, ...]
    data: Data
    point: Point | None
    monte_carlo: MonteCarlo | None = None

    @property
    def has_dispersion(self) -> bool:
        """Whether psi was estimated."""
        return self.family.has_dispersion

    @property
    def dispersion(self) -> float:
        """exp(psi)."""
        return float(np.exp(self.psi))

    @property
    def cov_beta(self) -> np.ndarray:
        """Covariance of beta, (p, p): from the joint one, or with theta known where there is none."""
        if self.covariance is None:
            return self.conditional
        inside = slice(len(self.theta), len(self.theta) + len(self.beta))
        return self.covariance[inside, inside]

    @property
    def residual(self) -> None:
        """None: there is no residual covariance."""
        return None

    @property
    def unidentified(self) -> None:
        """None: what is not identified has a verdict of its own."""
        return None

    @property
    def n_parameters(self) -> int:
        """Number of parameters: theta, beta and psi."""
        return len(self.theta) + len(self.beta) + int(self.has_dispersion)
