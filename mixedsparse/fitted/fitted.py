"""`Fitted`: a model and its optimum, as arrays and names. Everything that is computed from a fit takes one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from mixedsparse.core.fitting.estimates import (
    conditional_covariance_of,
    conditional_covariances,
    prediction_error_covariances,
)
from mixedsparse.core.problem.absent_rows import absent_rows
from mixedsparse.core.problem.slots import spread_rows
from mixedsparse.fitted.parameters import Parameters
from mixedsparse.ground.errors import BackendError

if TYPE_CHECKING:
    from mixedsparse.core.fitting.estimates import Fit
    from mixedsparse.fitted.model import Model

__all__ = ["Fitted"]

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Fitted(Parameters):
    """A fit without labels: numbers, arrays, and the names that labels are made of.

    Attributes
    ----------
    model : Model
        That was fitted; fitting does not change it.
    fit : mixedsparse.core.fitting.estimates.Fit
        The optimum.
    """

    model: Model
    fit: Fit

    @property
    def beta(self) -> np.ndarray:
        """Coefficients (p,) of the columns of X that were kept."""
        return self.fit.beta

    @property
    def theta(self) -> np.ndarray:
        """Relative covariance parameters (m,)."""
        return self.fit.theta

    def needs_optimum(self, what: str) -> None:
        """Refuse `what` where there are no estimates; a linear fit has them."""

    @property
    def templates(self) -> tuple[np.ndarray, ...]:
        """Lambda_t (k, k) of each term, theta order."""
        return self.fit.templates

    @property
    def sigma2(self) -> float:
        """Residual variance, in y^2."""
        return self.fit.sigma2

    @property
    def modes(self) -> tuple[np.ndarray, ...]:
        """Conditional modes (levels, k) of the random effects of each term, theta order."""
        return self.fit.modes

    # How the fit was made, and how it ended.

    @property
    def reml(self) -> bool:
        """Whether the fit is by restricted maximum likelihood."""
        return self.fit.reml

    @property
    def method(self) -> str:
        """``"REML"`` or ``"ML"``."""
        return "REML" if self.fit.reml else "ML"

    @property
    def iterative(self) -> bool:
        """Whether the fit did without a factor, so that its numbers have Monte-Carlo errors."""
        return self.fit.monte_carlo is not None

    @property
    def seed(self) -> int | None:
        """Seed of the probes of an iterative fit; None where nothing is drawn."""
        return None if self.fit.monte_carlo is None else self.fit.monte_carlo.seed

    @property
    def work(self) -> float:
        """Multiply-adds of the largest dense operation of what is computed at the optimum; 0 without a factor."""
        return 0.0 if self.iterative else self.model.engine().work

    @property
    def knows_all_levels(self) -> bool:
        """Whether conditional covariances of all levels come at once."""
        return self.fit.search.pls.factor.knows_all_levels

    @property
    def converged(self) -> bool:
        """Whether the search ended at an optimum, inside or on the boundary, identified or not."""
        return self.fit.certificate.converged

    @property
    def singular(self) -> bool:
        """Whether some direction of the random effects has no variance."""
        return bool(self.fit.certificate.boundary)

    def needs(self, evidence: Literal["factor", "rows", "few columns"], what: str, instead: str = "") -> None:
        """Refuse `what` where its `evidence` is not there; `instead` says what there is.

        Raises
        ------
        BackendError
            There is no factor of the whole system after an iterative fit, or X is so wide that its columns are kept as
            they are.
        RowsElsewhereError
            The rows of the model are not in memory.
        """
        if evidence == "rows" and not self.problem.has_rows:
            raise absent_rows(what[0].lower() + what[1:])
        if evidence == "few columns" and self.problem.p > self.model.engines.limits.narrowed:
            raise BackendError(
                f"{what} holds matrices of the size of the covariance of all coefficients at every step, and there are "
                f"{self.problem.p:,} of them. {instead}."
            )
        if evidence == "factor" and self.iterative:
            mend = f"{instead}, or fit" if instead else "Fit"
            raise BackendError(
                f"{what} needs a factor of the whole system, which an iterative fit does without. {mend} with "
                "method='direct' if the model's cost() leaves room for that."
            )

    def needs_plain(self, what: str, instead: str) -> None:
        """Refuse `what` where the residual covariance has parameters; `instead` says what there is.

        Raises
        ------
        BackendError
        """
        if self.fit.residual is not None:
            raise BackendError(f"{what} does not know the parameters of residual= and dispersion=. {instead}")

    # Criterion and sizes.

    @property
    def criterion(self) -> float:
        """REML criterion, or -2 log-likelihood after ML."""
        return self.fit.criterion

    @property
    def llf(self) -> float:
        """Log-likelihood, the restricted one after REML."""
        return -0.5 * self.fit.criterion

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return self.fit.criterion + 2.0 * self.npar

    @property
    def bic(self) -> float:
        """Bayesian information criterion."""
        return self.fit.criterion + math.log(self.nobs) * self.npar

    # Fixed effects.

    @cached_property
    def cov_beta(self) -> np.ndarray:
        """Covariance (p, p) of the coefficients; NaN where it hangs on parameters that are not identified."""
        cov, loose = self.fit.cov_beta, self.fit.unidentified
        return cov if loose is None else loose.settled(cov)

    # Random effects and residual.

    @property
    def spherical_modes(self) -> list[np.ndarray]:
        """Modes u = Lambda'Z'V_0^-1 (y - X beta) of the spherical random effects, (levels, K) per block.

        Those of related levels have the relationship among them: b = Lambda u.
        """
        pls = self.fit.search.pls
        return [zeta @ lam for zeta, lam in zip(self.problem.related(pls.zeta), pls.lams, strict=True)]

    def level_covariances(self, block: int, codes: np.ndarray) -> np.ndarray:
        """Conditional covariances (len(codes), K, K) of chosen levels of one block, in the user's basis."""
        return conditional_covariance_of(self.problem, self.fit, block, codes)

    def mode_covariances(self, errors: str) -> list[np.ndarray]:
        """Covariances (levels, K, K) of the errors of the modes per block, in the user's basis.

        ``"conditional"``: given y and the coefficients; ``"prediction"``: coefficients estimated.
        """
        compute = conditional_covariances if errors == "conditional" else prediction_error_covariances
        return compute(self.problem, self.fit)

    # Rows, where they are in memory.

    @cached_property
    def values(self) -> np.ndarray:
        """Conditional fitted values X beta + Z b + offset (n,), in units of y."""
        out = self.X @ self.fit.beta
        for term, modes in zip(self.problem.terms, self.fit.modes, strict=True):
            out += spread_rows(term.codes, term.z, modes)
        return out if self.design.offset is None else out + self.design.offset

    @property
    def residuals(self) -> np.ndarray:
        """Response less fitted values, (n,), in units of y."""
        return self.design.y - self.values

    @property
    def scaled_residuals(self) -> np.ndarray:
        """Residuals over their standard deviation sigma / sqrt(weight), (n,), no units."""
        root = self.problem.root_weights
        scaled = self.residuals / np.sqrt(self.sigma2)
        return scaled if root is None else scaled * root

    @property
    def marginal_residuals(self) -> np.ndarray:
        """Response less X beta and the offset, (n,), in units of y."""
        mean = self.X @ self.fit.beta
        return self.design.y - (mean if self.design.offset is None else mean + self.design.offset)

    @property
    def normalized_residuals(self) -> np.ndarray:
        """Residuals times the inverse of the lower triangle of their covariance, (n,): uncorrelated, of variance 1."""
        whitener, prior = self.problem.whitener, self.design.weights
        if whitener is None:
            return self.scaled_residuals
        e = self.residuals if prior is None else self.residuals * np.sqrt(prior)
        return whitener.innovations(e[:, None] / self.sigma)[:, 0]

    def once(self, name: str, make: Callable[[Fitted], Value]) -> Value:
        """Return ``make(self)``, made when it is first asked for by `name` and kept."""
        kept = self.__dict__
        if name not in kept:
            kept[name] = make(self)
        found: Value = kept[name]
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        # What was kept is cheap to make again.
        return type(self), (self.model, self.fit)
