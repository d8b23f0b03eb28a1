"""The log-likelihood of a model as a function of statsmodels' parameters, and draws from its distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.compat.facts import FactsMixin
from mixedsparse.compat.specs import MixedLMParams
from mixedsparse.ground.errors import OptionError

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.pls import Pls

__all__ = ["LikelihoodMixin"]

# A variance below zero by this share of the largest is rounding.
_ROUNDING = 1e-9
# Steps of central differences, relative: errors of the first derivatives are of their fourth power.
_STEP = 1e-3


class LikelihoodMixin(FactsMixin):
    """Likelihood's side of `MixedLM`."""

    def loglike(self, params: Any, profile_fe: bool = True) -> float:
        """Log-likelihood, scale profiled out; restricted or not as in the last fit (`reml`).

        Parameters
        ----------
        params : MixedLMParams or array_like
            As ``params_object`` of results; an array holds the covariance parameters only, over scale, packed as
            `use_sqrt` says.
        profile_fe : bool
            Whether the fixed effects of `params` give way to the best ones.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> model = ms.mixedlm("Weight ~ Time", ms.datasets.load("dietox"), groups="Pig")
        >>> round(model.loglike(model.fit().params_object), 3)
        -2404.775
        """
        given = self._params(params)
        pls = self._solved(given)
        value = pls.criterion
        if not profile_fe:
            basis = self.linear.problem.basis
            away = np.empty(self.k_fe)
            away[self.structure.fixed.order] = np.asarray(given.fe_params, dtype=float)
            away -= basis.beta(pls.gamma)
            # (X'V^-1 X) is root' K^-1 root.
            moved = basis.root @ away
            more = float(moved @ np.linalg.solve(pls.K, moved)) if len(moved) else 0.0
            value += self.linear.problem.degrees(self.reml) * np.log1p(more / pls.pwrss)
        return -0.5 * float(value)

    def score(self, params: Any, profile_fe: bool = True) -> np.ndarray:
        """Gradient of `loglike` in the packed parameters, by central differences.

        Fixed effects come first, if they are not profiled out; covariances are packed as `use_sqrt` says.
        """
        given = self._params(params)
        packed = given.get_packed(self.use_sqrt, has_fe=not profile_fe)

        def value(at: np.ndarray) -> float:
            unpacked = MixedLMParams.from_packed(at, self.k_fe, self.k_re, self.use_sqrt, has_fe=not profile_fe)
            return self.loglike(unpacked, profile_fe)

        return _gradient(value, packed)

    def hessian(self, params: Any) -> tuple[np.ndarray, bool]:
        """Hessian of `loglike` in fixed effects and covariances, by differences, and whether cov_re is singular."""
        given = self._params(params)

        def value(at: np.ndarray) -> float:
            return self.loglike(MixedLMParams.from_packed(at, self.k_fe, self.k_re, False, has_fe=True), False)

        packed = given.get_packed(False, has_fe=True)
        steps = _steps(packed)
        rows = [_difference(lambda at: _gradient(value, at, steps), packed, step) for step in np.diag(steps)]
        singular = self.k_re > 0 and np.linalg.matrix_rank(np.asarray(given.cov_re)) < self.k_re
        return 0.5 * (np.array(rows) + np.array(rows).T), bool(singular)

    def get_distribution(self, params: Any, scale: float, exog: Any = None) -> Distribution:
        """Return the distribution of the response.

        Parameters
        ----------
        params : array_like
            As `params` of results: fixed effects, then covariances over scale.
        scale : float
            Residual variance.
        exog : array_like (n, k_fe), optional
            Fixed-effects design; that of the model by default.
        """
        return Distribution(self, MixedLMParams.from_packed(params, self.k_fe, self.k_re, False, True), scale, exog)

    def _params(self, params: Any) -> Any:
        if hasattr(params, "cov_re"):
            return params
        return MixedLMParams.from_packed(params, self.k_fe, self.k_re, self.use_sqrt, has_fe=False)

    def _solved(self, params: Any) -> Pls:
        """Penalised least squares at the covariances of `params`."""
        problem = self.linear.problem
        by_term = [_root(np.asarray(params.cov_re, dtype=float))] if self.k_re else []
        variances = np.asarray(params.vcomp, dtype=float)
        by_term += [_root(variances[[owner]][:, None]) for owner in self.structure.owners]
        theta = problem.theta_layout.flatten([by_term[position] for position in problem.order])
        criterion, point = self.linear._point(theta, self.reml)
        return criterion.pls(point)


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Distribution of the response of `model` at `params`, over scale, and `scale`."""

    model: FactsMixin
    params: MixedLMParams
    scale: float
    exog: Any = None

    def rvs(self, n: int = 0, rng: Any = None) -> np.ndarray:
        """Draw one response for each row; `n` is not used, as in statsmodels.

        Parameters
        ----------
        n : int
        rng : int, numpy.random.Generator or RandomState, optional
        """
        draw = rng if hasattr(rng, "normal") else np.random.default_rng(rng)
        model, root = self.model, np.sqrt(self.scale)
        y = np.array(model.predict(self.params, self.exog), dtype=float)
        # In the order of statsmodels, so that equal seeds give equal responses.
        if model.exog_re is not None:
            effects = draw.normal(size=(model.n_groups, model.k_re)) @ (root * _root(self.params.cov_re)).T
            y += (model.exog_re * effects[model.structure.codes]).sum(axis=1)
        for variance, mats in zip(self.params.vcomp, model.exog_vc.mats, strict=True):
            for rows, matrix in zip(model.row_indices.values(), mats, strict=True):
                y[rows] += root * np.sqrt(variance) * (matrix @ draw.normal(size=matrix.shape[1]))
        return np.asarray(y + root * draw.normal(size=len(y)))


def _root(matrix: np.ndarray) -> np.ndarray:
    """Lower triangle L of a semidefinite matrix L L'."""
    values, vectors = np.linalg.eigh(matrix)
    if len(values) and values[0] < -_ROUNDING * max(values[-1], 1.0):
        raise OptionError("The covariances are not those of any random effects: the matrix has a negative eigenvalue.")
    root = np.linalg.qr((vectors * np.sqrt(np.maximum(values, 0.0))).T, mode="r").T
    return root * np.where(np.diagonal(root) < 0, -1.0, 1.0)


def _steps(packed: np.ndarray) -> np.ndarray:
    return _STEP * np.maximum(np.abs(packed), 0.1)


def _gradient(value: Callable[[np.ndarray], float], at: np.ndarray, steps: np.ndarray | None = None) -> np.ndarray:
    """Gradient by central differences."""
    return np.array([_difference(value, at, step) for step in np.diag(_steps(at) if steps is None else steps)])


def _difference(value: Callable[[np.ndarray], Any], at: np.ndarray, step: np.ndarray) -> Any:
    """Differentiate along `step`, by fourth-order central differences."""
    near, far = value(at + step) - value(at - step), value(at + 2 * step) - value(at - 2 * step)
    return (8.0 * near - far) / (12.0 * step.max())
