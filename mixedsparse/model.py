"""Models: formula and data to a problem, and the problem to results. Fitting never changes a model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.caller import CallerNames, user_level
from mixedsparse.core.derivatives import differentiate
from mixedsparse.core.engine import Engine, make_engine
from mixedsparse.core.fit import Fit, fit_problem
from mixedsparse.core.hessian import observed_hessian
from mixedsparse.core.pls import Pls, solve_pls
from mixedsparse.core.problem import Problem, make_problem
from mixedsparse.core.terms import RandomTerm
from mixedsparse.errors import (
    ConvergenceWarning,
    DroppedColumnsWarning,
    DroppedRowsWarning,
    OptionError,
    SingularFitWarning,
)
from mixedsparse.estimable import check_estimable, is_perfect, perfect_fit
from mixedsparse.options import FitOptions, check_method, check_options
from mixedsparse.progress import ProgressOption, reporter

if TYPE_CHECKING:
    from mixedsparse.formula.design import Design
    from mixedsparse.results import MixedResults

__all__ = ["LinearMixedModel", "lmer", "warn_of_search"]


class LinearMixedModel:
    """A linear mixed model: y = X beta + Z b + e, b ~ N(0, sigma^2 Lambda Lambda'), e ~ N(0, sigma^2 / w).

    Parameters
    ----------
    formula : str
        As in lme4: ``"y ~ x + (1 + x | subject) + (1 | item)"``.
    data : data frame
        pandas, polars or pyarrow table, or a dict of columns.
    weights, offset : str or array, optional
        Column name or one number per row.
    contrasts : dict, optional
        Column -> ``"treatment"``, ``"sum"``, ``"helmert"``, ``"poly"`` or an array (levels, levels - 1).

    Raises
    ------
    FormulaError, DataError, ColumnError
        The formula cannot be read, or the data cannot support it; the message names the column and the mend.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> model = ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> round(model.fit().criterion, 4)
    1743.6283
    """

    def __init__(
        self,
        formula: str,
        data: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        contrasts: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
    ) -> None:
        from mixedsparse.formula.design import make_design

        env = CallerNames(1) if env is None else env
        self._set_design(make_design(formula, data, weights=weights, offset=offset, contrasts=contrasts, env=env))

    @classmethod
    def from_arrays(
        cls,
        y: Any,
        X: Any,
        terms: Sequence[RandomTerm],
        *,
        weights: Any = None,
        offset: Any = None,
        x_names: Sequence[str] | None = None,
    ) -> LinearMixedModel:
        """Make a model from arrays.

        Parameters
        ----------
        y : array, shape (n,)
        X : array, shape (n, p)
            Fixed-effects design, with a column of ones if there is to be an intercept.
        terms : sequence of RandomTerm
        weights, offset : array, shape (n,), optional
        x_names : sequence of str, optional
            Names of the columns of X; taken from a DataFrame, ``x0, x1, ...`` otherwise.

        Examples
        --------
        >>> import numpy as np, mixedsparse as ms
        >>> rng = np.random.default_rng(1)
        >>> g = np.repeat(np.arange(20), 5)
        >>> y = rng.normal(size=20)[g] + rng.normal(size=100)
        >>> model = ms.LinearMixedModel.from_arrays(y, np.ones((100, 1)), [ms.RandomTerm("g", g, np.ones(100))])
        >>> model.fit().nobs
        100
        """
        from mixedsparse.formula.arrays import array_design

        model = cls.__new__(cls)
        model._set_design(array_design(y, X, terms, weights=weights, offset=offset, x_names=x_names))
        return model

    def _set_design(self, design: Design) -> None:
        self.design = design
        y = design.y if design.offset is None else design.y - design.offset
        self.problem: Problem = make_problem(y, design.X, design.terms, design.weights)
        self._engines: dict[str, Engine] = {}
        check_estimable(self.problem, design)

    def __getstate__(self) -> dict[str, Any]:
        """State without the engines, which hold factors of a foreign library."""
        return {**self.__dict__, "_engines": {}}

    @property
    def formula(self) -> str:
        """Formula as given (made up for a model from arrays)."""
        return self.design.formula

    @property
    def dropped_columns(self) -> tuple[str, ...]:
        """Columns of X left out because they are linear combinations of earlier ones."""
        kept = set(self.problem.basis.kept.tolist())
        return tuple(name for i, name in enumerate(self.design.x_names) if i not in kept)

    def engine(self, backend: str = "auto") -> Engine:
        """Return the engine of this model for `backend`, analysed once and kept."""
        if backend not in self._engines:
            self._engines[backend] = make_engine(self.problem, backend)
        return self._engines[backend]

    def fit(
        self,
        reml: bool = True,
        *,
        start: Any = None,
        method: str = "auto",
        options: FitOptions | None = None,
        progress: ProgressOption = None,
    ) -> MixedResults:
        """Fit the model.

        Parameters
        ----------
        reml : bool
            Restricted maximum likelihood (default) or maximum likelihood.
        start : array, shape (m,), optional
            Theta to start from; moment estimates otherwise.
        method : {"auto", "direct"}
            How the criterion is evaluated; exact factorisation is the only method so far.
        options : FitOptions, optional
        progress : bool or callable, optional
            True prints iteration, criterion and gradient norm to stderr; a callable gets each `Iteration`.

        Returns
        -------
        MixedResults

        Warns
        -----
        SingularFitWarning, ConvergenceWarning, DroppedRowsWarning, DroppedColumnsWarning
        """
        from mixedsparse.results import MixedResults

        options = check_options(options)
        check_method(method)
        fit = fit_problem(
            self.engine(options.backend),
            bool(reml),
            start=None if start is None else self._check_theta(start, "start"),
            max_evals=options.max_evals,
            tolerance=options.tolerance,
            progress=reporter(progress),
        )
        if is_perfect(fit, self.problem):
            raise perfect_fit(self.design)
        self._warn(fit)
        return MixedResults(self, fit)

    def objective(self, theta: Any, reml: bool = True) -> float:
        """REML criterion (or -2 log-likelihood) at `theta`, without fitting.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> model = ms.LinearMixedModel("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> round(model.objective([0.8483237814]), 6)
        319.654277
        """
        return self._pls(theta, reml).criterion

    def gradient(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Exact gradient (m,) of the criterion in theta (engine: selected inverse, no differences)."""
        derivatives = differentiate(self.engine(), self._pls(theta, reml), second=False)
        return np.asarray(self.problem.layout.to_block.T @ derivatives.gradient)

    def hessian(self, theta: Any, reml: bool = True) -> np.ndarray:
        """Observed Hessian (m, m) of the criterion in theta, by differencing the exact gradient (error about 1e-8)."""
        theta = self._check_theta(theta, "theta")
        return observed_hessian(lambda at: self.gradient(at, reml), theta)

    def _pls(self, theta: Any, reml: bool) -> Pls:
        layout = self.problem.layout
        inner = layout.to_block @ self._check_theta(theta, "theta")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return solve_pls(self.problem, self.engine().factorize(layout.factors(inner)), bool(reml))

    def _check_theta(self, theta: Any, name: str) -> np.ndarray:
        try:
            values = np.atleast_1d(np.asarray(theta, dtype=float))
        except (TypeError, ValueError) as err:
            raise OptionError(f"{name}={theta!r} is not an array of numbers.") from err
        if values.shape != (self.problem.n_theta,) or not np.isfinite(values).all():
            groups = ", ".join(f"{t.group} ({t.n_theta})" for t in self.problem.terms)
            raise OptionError(
                f"{name} must hold {self.problem.n_theta} finite numbers, one per covariance parameter: {groups}; "
                f"got {theta!r}."
            )
        return values

    def _warn(self, fit: Fit) -> None:
        """Warn once of each thing that the user can act on, at the line that asked for the fit."""
        level = user_level()
        if self.design.nmissing:
            n = self.design.nmissing
            warnings.warn(
                f"{n} row{'s' * (n > 1)} with missing values left out of the fit.", DroppedRowsWarning, stacklevel=level
            )
        if self.dropped_columns:
            warnings.warn(
                f"Left out of X, being linear combinations of earlier columns: {', '.join(self.dropped_columns)}.",
                DroppedColumnsWarning,
                stacklevel=level,
            )
        warn_of_search(fit)

    def __repr__(self) -> str:
        """Show formula and sizes."""
        return f"LinearMixedModel({self.formula!r}, n={self.problem.n}, q={self.problem.layout.q})"


def warn_of_search(fit: Fit) -> None:
    """Warn of a search that stopped early, or ended on the boundary."""
    certificate, level = fit.certificate, user_level()
    if not certificate.converged:
        warnings.warn(certificate.message, ConvergenceWarning, stacklevel=level)
    elif certificate.boundary:
        warnings.warn(certificate.message, SingularFitWarning, stacklevel=level)


def lmer(
    formula: str,
    data: Any,
    *,
    reml: bool = True,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    start: Any = None,
    method: str = "auto",
    options: FitOptions | None = None,
    progress: ProgressOption = None,
) -> MixedResults:
    """Fit a linear mixed model: ``LinearMixedModel(formula, data, ...).fit(reml, ...)``.

    Parameters
    ----------
    formula, data, weights, offset, contrasts
        See `LinearMixedModel`.
    reml, start, method, options, progress
        See `LinearMixedModel.fit`.

    Returns
    -------
    MixedResults

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> fit.params.round(3).to_dict()
    {'Intercept': 251.405, 'Days': 10.467}
    """
    model = LinearMixedModel(formula, data, weights=weights, offset=offset, contrasts=contrasts, env=CallerNames(1))
    return model.fit(reml, start=start, method=method, options=options, progress=progress)
