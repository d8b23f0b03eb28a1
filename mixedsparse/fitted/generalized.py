"""Generalized models: a design with a response family, and its fit as arrays and names."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.choose.candidates import generalized_demands
from mixedsparse.core.choose.engines import Engines
from mixedsparse.core.fitting.laplace import fit_data
from mixedsparse.core.fitting.laplace.modes import conditional_blocks, error_blocks, level_covariances
from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.patterns import pattern_problem
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.data.sizes import checked_sizes
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.generalized_objective import GeneralizedCriterionMixin, laplace_data
from mixedsparse.fitted.model import Model
from mixedsparse.fitted.starts import start_vector
from mixedsparse.fitted.warnings import warn_of_data, warn_of_probes
from mixedsparse.ground.caller import user_level
from mixedsparse.ground.checks import is_whole, shown
from mixedsparse.ground.errors import ConvergenceWarning, DataError, OptionError, SingularFitWarning
from mixedsparse.ground.logs import log_fit
from mixedsparse.ground.options import FitOptions, check_method, check_options
from mixedsparse.ground.progress import ProgressOption, reporter

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.core.fitting.laplace import GeneralizedFit
    from mixedsparse.core.likelihood.family import Family
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.data.formula.design import Design

__all__ = [
    "GeneralizedFitted",
    "GeneralizedModel",
    "fit_generalized_model",
    "warn_of_generalized_search",
]

# Most nodes of the quadrature for each random effect.
_MOST_NODES = 100


class GeneralizedModel(GeneralizedCriterionMixin, Model):  # type: ignore[misc]
    """Design, response family, and the problem of the design with engines for it.

    The problem has no response and no weights: both change from step to step of a fit.

    Attributes
    ----------
    design : Design
        With ``trials`` for a binomial family, whose ``y`` are numbers of successes.
    family : Family
    kept : tuple (ndarray (r, p), list of Block) or None
        Q and blocks of the rows that differ, where the rows themselves stay elsewhere.
    """

    def __init__(
        self, design: Design, family: Family, problem: Problem | None = None, engines: Engines | None = None
    ) -> None:
        self.kept = None
        if design.patterns is not None:
            problem, self.kept = pattern_problem(design.patterns)
        problem = _problem_of(design) if problem is None else problem
        if engines is None:
            rows = problem.n if design.patterns is None else len(design.patterns.y)
            parameters = problem.n_theta + problem.p + int(family.has_dispersion)
            engines = Engines(problem, demands=generalized_demands(rows, parameters))
        super().__init__(design, problem, engines)
        if self.problem.n <= self.problem.p:
            raise DataError(
                f"{self.problem.n} rows cannot estimate {self.problem.p} fixed effects; use fewer terms or more data."
            )
        self.family = family

    @classmethod
    def of_family(cls, design: Design, family: Family, problem: Problem | None = None) -> Self:
        """Make the model of a design that is made already: the way around formula and data for every subclass."""
        model = cls.__new__(cls)
        GeneralizedModel.__init__(model, design, family, problem)
        return model

    @property
    def several_trials(self) -> int | None:
        """Number of trials of all rows together; None where no row has more than one."""
        trials, plain = self.design.trials, self.design.plain
        if plain is not None:
            return plain.trials
        return None if trials is None or trials.max() <= 1 else int(trials.sum())


def _problem_of(design: Design) -> Problem:
    checked_sizes(design)
    return make_problem(np.zeros(len(design.y)), design.X, design.terms, None)


@dataclass(frozen=True, eq=False)
class GeneralizedFitted(Fitted):
    """A fit of a generalized model without labels.

    The residual variance of a linear model has no counterpart: `sigma2` is 1, which makes Lambda Lambda' the covariance
    of the random effects.
    """

    model: GeneralizedModel
    fit: GeneralizedFit

    @property
    def family(self) -> Family:
        """Response family, with its link."""
        return self.model.family

    @property
    def title(self) -> str:
        """What was fitted, and how."""
        how = {0: "penalised least squares (approximate)", 1: "Laplace's approximation"}
        approximation = how.get(self.fit.nodes, f"quadrature with {self.fit.nodes} nodes")
        return (
            f"Generalized linear mixed model, {self.family.name.replace('_', ' ')} with {self.family.link.name} link, "
            f"fitted by ML, {approximation}"
        )

    @property
    def has_residual(self) -> bool:
        """False."""
        return False

    @property
    def reml(self) -> bool:
        """False: there is no error contrast."""
        return False

    @property
    def method(self) -> str:
        """``"ML"``."""
        return "ML"

    @property
    def knows_all_levels(self) -> bool:
        """Whether conditional covariances of all levels come at once."""
        return self.fit.point is None or self.fit.point.mode.factor.knows_all_levels

    @property
    def message(self) -> str:
        """Verdict in words, with the names of what has no estimate."""
        certificate = self.fit.certificate
        if not certificate.columns:
            return certificate.message
        names = ", ".join(self.x_names[i] for i in certificate.columns)
        cell = _cell(self.design, certificate.rows[0]) if certificate.rows and self.problem.has_rows else ""
        return f"{certificate.message} Columns: {names}{cell}."

    @property
    def npar(self) -> int:
        """Number of parameters: fixed effects, covariance parameters, dispersion."""
        return self.problem.p + self.problem.n_theta + int(self.family.has_dispersion)

    @cached_property
    def cov_beta(self) -> np.ndarray:
        """Covariance (p, p) of the coefficients, that of theta and the dispersion estimated too; see `conditional`."""
        return self.fit.cov_beta

    @property
    def conditional(self) -> bool:
        """Whether `cov_beta` takes theta and the dispersion as known, for want of a positive definite Hessian."""
        return self.fit.covariance is None

    @property
    def sigma2(self) -> float:
        """1; see the class."""
        return 1.0

    @property
    def sigma(self) -> float:
        """1; see the class."""
        return 1.0

    @property
    def dispersion(self) -> float:
        """exp(psi): shape (gamma), precision (inverse Gaussian), size (NB2), or variance over mean less 1 (NB1)."""
        return self.fit.dispersion

    @property
    def psi(self) -> float:
        """Log dispersion, estimated or known; 0 for families without one."""
        return self.fit.psi if self.family.has_dispersion else self.family.psi

    @property
    def scale_parameter(self) -> tuple[str, float] | None:
        """The dispersion, where it is estimated."""
        return ("dispersion", self.dispersion) if self.family.has_dispersion else None

    @property
    def spherical_modes(self) -> list[np.ndarray]:
        """Modes u (levels, K) per block, b = Lambda u."""
        self.needs_optimum("u")
        assert self.fit.point is not None
        return [zeta @ lam for zeta, lam in zip(self.fit.point.mode.zeta, self.fit.point.lams, strict=True)]

    def needs_optimum(self, what: str) -> None:
        """Refuse `what` where there are no estimates."""
        if self.fit.point is None:
            raise DataError(f"{what} needs estimates, and this fit has none. {self.message}")

    def level_covariances(self, block: int, codes: np.ndarray) -> np.ndarray:
        """See `Fitted.level_covariances`."""
        self.needs_optimum("A conditional covariance")
        return level_covariances(self.fit, block, codes)

    def mode_covariances(self, errors: str) -> list[np.ndarray]:
        """Covariances (levels, K, K) of the modes' errors per block; ``"prediction"``: all parameters estimated."""
        return conditional_blocks(self.fit) if errors == "conditional" else error_blocks(self.fit)

    @property
    def weights(self) -> np.ndarray | None:
        """Trials or prior weights (n,), None where all are 1."""
        return self.model.prior

    @property
    def linear_predictor(self) -> np.ndarray:
        """X beta + Z b + offset, (n,)."""
        return self.fit.eta

    @cached_property
    def values(self) -> np.ndarray:
        """Conditional means of the response as the family has it, (n,): probabilities for a binomial one."""
        return self.family.mean(self.fit.eta)

    @property
    def residuals(self) -> np.ndarray:
        """Response less conditional mean, (n,)."""
        return self.model.response - self.values

    @property
    def scaled_residuals(self) -> np.ndarray:
        """Residuals over their standard deviation given the modes, (n,), no units (Pearson's)."""
        prior = np.ones(self.nobs) if self.weights is None else self.weights
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.residuals / np.sqrt(self.family.variance(self.values, prior, self.psi))


def _cell(design: Design, row: int) -> str:
    """Values of the columns of the formula in `row`, for a message."""
    source = design.source
    if source is None:
        return f"; first row concerned: {design.index[row]!r}"
    groups = {term.group for term in design.terms}
    values = {name: column[row] for name, column in source.columns.items() if name not in groups}
    return "; a row concerned: " + ", ".join(f"{name} = {value}" for name, value in values.items())


def fit_generalized_model(
    model: GeneralizedModel,
    nodes: int = 1,
    *,
    start: Any = None,
    method: str = "auto",
    options: FitOptions | None = None,
    progress: ProgressOption = None,
) -> GeneralizedFitted:
    """Fit `model`; see `mixedsparse.GeneralizedLinearMixedModel.fit`."""
    options = check_options(options)
    check_method(method, options)
    if not is_whole(nodes) or not 0 <= nodes <= _MOST_NODES:
        raise OptionError(f"nAGQ={shown(nodes)} must be a whole number from 0 to {_MOST_NODES}.")
    if method == "iterative" and nodes != 1:
        raise OptionError(f"method='iterative' goes by Laplace's approximation: leave nAGQ={nodes} out.")
    start = None if start is None else start_vector(model, model.family.has_dispersion, start)
    engine = model.engine(options.backend, method if nodes == 1 else "direct")
    with reporter(progress, *model.engines.expectations(engine)) as note:
        fit = fit_data(laplace_data(model, engine), nodes=int(nodes), start=start, options=options, progress=note)
    fit = fit if model.problem.has_rows else replace(fit, eta=ELSEWHERE)
    log_fit(model.formula, f"nAGQ={nodes}", fit, fit.evaluations, fit.seconds, rows=model.problem.n)
    fitted = GeneralizedFitted(model, fit)
    warn_of_data(model.design, model.problem, model.dropped_columns)
    warn_of_generalized_search(fitted)
    return fitted


def warn_of_generalized_search(fitted: GeneralizedFitted) -> None:
    """Warn of a search without an optimum, or with one on the boundary."""
    level = user_level()
    if not fitted.converged:
        warnings.warn(fitted.message, ConvergenceWarning, stacklevel=level)
    elif fitted.fit.certificate.verdict != "converged":
        warnings.warn(fitted.message, SingularFitWarning, stacklevel=level)
    warn_of_probes(fitted.fit.monte_carlo)
