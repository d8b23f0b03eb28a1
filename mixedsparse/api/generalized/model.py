"""Generalized linear mixed models: formula, data and family to results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixedsparse.api.costs import CostMixin
from mixedsparse.api.generalized.results import GeneralizedResults
from mixedsparse.api.results.base import parameters_of
from mixedsparse.data.families import DOMAINS, read_family, trials_and_weights
from mixedsparse.fitted.generalized import GeneralizedModel, fit_generalized_model
from mixedsparse.fitted.model import read_design
from mixedsparse.fitted.origins import remember
from mixedsparse.ground.caller import CallerNames
from mixedsparse.ground.choices import Method
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.options import FitOptions
from mixedsparse.ground.progress import ProgressOption

if TYPE_CHECKING:
    from mixedsparse.core.problem.terms import RandomTerm

__all__ = ["GeneralizedLinearMixedModel", "glmer"]


class GeneralizedLinearMixedModel(CostMixin, GeneralizedModel):
    """A generalized linear mixed model: g(E y) = X beta + Z b + offset, b ~ N(0, Lambda Lambda').

    Parameters
    ----------
    formula : str
        As for `LinearMixedModel`. The response of a binomial model is 0 and 1, truth values, a column of two levels
        (the second is the event), ``cbind(successes, failures)``, or a proportion or a count of successes with
        `trials`; zeros and ones with several trials are proportions, as in R. A formula is code: never take
        one from a source that you would not run.
    data : data frame, path, DuckDB relation or Ibis table
        pandas, polars or pyarrow table, or a dict of columns; or a Parquet file, directory or glob, or a table, whose
        rows stay where they are: the database counts the rows that agree in every column of the model (binomial and
        Poisson families), and only those that differ are read, or all rows of the columns used.
    family : str or family
        ``"binomial"`` (``"bernoulli"``), ``"poisson"``, ``"gamma"``, ``"inverse_gaussian"``, ``"negative_binomial"``
        (variance mu + mu^2 / size), ``"nb1"`` (variance mu (1 + phi)); an object of `mixedsparse.families`, or one of
        statsmodels' families.
    link : str, optional
        ``"logit"``, ``"probit"``, ``"cloglog"``, ``"log"``, ``"sqrt"``, ``"inverse"``, ``"identity"``, ``"1/mu^2"``, as
        far as the family takes it; its usual one by default. ``"sqrt"`` keeps rows whose count is not 0 to
        positive linear predictors, so that the conditional modes are one optimum.
    trials : str or array, optional
        Numbers of trials of a binomial response: column name or one number per row.
    weights : str or array, optional
        Prior weights: of a binomial response the trials, as in R; for gamma and inverse Gaussian ones they multiply
        the shape, for the others the log-likelihood.
    offset : str or array, optional
        Known part of the linear predictor.
    dispersion : float, optional
        Known dispersion, in the terms of `GeneralizedResults.dispersion`: the shape of gamma responses (1 makes them
        exponential), the precision of inverse Gaussian ones, the size of negative binomial ones, phi of ``"nb1"``. It
        is estimated by default, whatever ``alpha`` an object of statsmodels has, and counted among the parameters.
    contrasts : dict, optional
        See `LinearMixedModel`.

    Raises
    ------
    FormulaError, DataError, ColumnError
        The formula cannot be read, or the data cannot support it; the message names the column and the mend.
    OptionError
        The family or the link is not known.

    Notes
    -----
    The likelihood is the true one of the family, dispersion included, and the Laplace approximation rests on the
    observed information: both as in glmmTMB. lme4's glmer takes expected information for links that are not canonical,
    and a dispersion from the deviance for gamma and inverse Gaussian responses, so that its numbers differ there.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> model = ms.GeneralizedLinearMixedModel(
    ...     "cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp")
    ... )
    >>> round(model.fit().criterion, 4)
    184.0526
    """

    @explains_arguments
    def __init__(
        self,
        formula: str,
        data: Any,
        family: Any = "binomial",
        *,
        link: str | None = None,
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
        dispersion: float | None = None,
        contrasts: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
    ) -> None:
        env = CallerNames(2) if env is None else env  # the caller is past the frame of the decorator
        found = read_family(family, link, dispersion)
        given = {"offset": offset, "contrasts": contrasts, "env": env} | trials_and_weights(found, trials, weights)
        super().__init__(read_design(formula, data, found, given), found)
        remember(self.design, data)

    @classmethod
    def from_arrays(
        cls,
        y: Any,
        X: Any,
        terms: Sequence[RandomTerm],
        family: Any = "binomial",
        *,
        link: str | None = None,
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
        dispersion: float | None = None,
        x_names: Sequence[str] | None = None,
    ) -> GeneralizedLinearMixedModel:
        """Make a model from arrays.

        Parameters
        ----------
        y : array, shape (n,), or (n, 2) with successes and failures
        X, terms, x_names
            See `LinearMixedModel.from_arrays`.
        family, link, dispersion
            See the class.
        trials, weights, offset : array, shape (n,), optional

        Examples
        --------
        >>> import numpy as np, mixedsparse as ms
        >>> rng = np.random.default_rng(1)
        >>> g = np.repeat(np.arange(20), 5)
        >>> y = rng.poisson(np.exp(rng.normal(size=20)[g]))
        >>> terms = [ms.RandomTerm("g", g, np.ones(100))]
        >>> model = ms.GeneralizedLinearMixedModel.from_arrays(y, np.ones((100, 1)), terms, "poisson")
        >>> model.fit().nobs
        100
        """
        from mixedsparse.data.formula.arrays import array_design

        found = read_family(family, link, dispersion)
        given = {"offset": offset, "x_names": x_names} | trials_and_weights(found, trials, weights)
        return cls.of_family(array_design(y, X, terms, domain=DOMAINS[found.name], **given), found)

    def fit(
        self,
        nAGQ: int = 1,
        *,
        start: Any = None,
        method: Method = "auto",
        options: FitOptions | None = None,
        progress: ProgressOption = None,
    ) -> GeneralizedResults:
        """Fit the model by maximum likelihood: theta, beta and the dispersion together.

        Parameters
        ----------
        nAGQ : int
            1 for Laplace's approximation; more for adaptive Gauss-Hermite quadrature with so many nodes for each random
            effect, for one grouping factor with up to three effects; 0 takes the coefficients from penalised least
            squares at each theta, which is not the maximum of the likelihood.
        start : array or GeneralizedResults, optional
            Theta, coefficients and, where the family has one, log dispersion to start from, or results with the same.
        method : {"auto", "direct", "iterative"}
            ``"iterative"`` (for ``nAGQ=1``) makes no factor: modes come from conjugate gradients, log|M| and its
            derivatives from random probes, which leave a Monte-Carlo error; see `monte_carlo` of the results.
            ``"auto"`` is direct unless that takes more than the memory there is, or far longer; see `cost`.
        options : FitOptions, optional
        progress : bool or callable, optional
            See `LinearMixedModel.fit`.

        Returns
        -------
        GeneralizedResults

        Warns
        -----
        ConvergenceWarning
            The search stopped early, or there is no maximum: the response is separated, or a variance is not estimable;
            or random probes leave more than the Monte-Carlo error asked for.
        AmbiguousResponseWarning, SingularFitWarning, DroppedRowsWarning, DroppedColumnsWarning, FarFromZeroWarning
        """
        fitted = fit_generalized_model(
            self, nAGQ, start=parameters_of(start), method=method, options=options, progress=progress
        )
        return GeneralizedResults._of(fitted)

    def __repr__(self) -> str:
        """Show formula, family and sizes."""
        sizes = f"n={self.problem.n}, q={self.problem.layout.q}"
        return f"GeneralizedLinearMixedModel({self.formula!r}, {self.family!r}, {sizes})"


@explains_arguments
def glmer(
    formula: str,
    data: Any,
    family: Any = "binomial",
    *,
    link: str | None = None,
    nAGQ: int = 1,
    trials: Any = None,
    weights: Any = None,
    offset: Any = None,
    dispersion: float | None = None,
    contrasts: Mapping[str, Any] | None = None,
    start: Any = None,
    method: Method = "auto",
    options: FitOptions | None = None,
    progress: ProgressOption = None,
) -> GeneralizedResults:
    """Fit a generalized linear mixed model: ``GeneralizedLinearMixedModel(formula, data, family, ...).fit(nAGQ, ...)``.

    Parameters
    ----------
    formula : str
        Fixed effects, and random effects in bars, as in lme4: ``"y ~ x + (1 + x | subject) + (1 | item)"``. A binomial
        response is 0 and 1, truth values, a column of two levels (the second is the event), ``cbind(successes,
        failures)``, or a proportion or a count with `trials`. A formula is code: never take one from a source that you
        would not run.
    data : data frame or source
        pandas, polars or pyarrow table, or a dict of columns; or a path of Parquet files, a DuckDB relation or an Ibis
        table, whose rows stay where they are. Rows with missing values are left out, with a warning.
    family : str or family
        ``"binomial"`` (``"bernoulli"``), ``"poisson"``, ``"gamma"``, ``"inverse_gaussian"``, ``"negative_binomial"``,
        ``"nb1"``; an object of `mixedsparse.families`, or one of statsmodels' families.
    link : str, optional
        ``"logit"``, ``"probit"``, ``"cloglog"``, ``"log"``, ``"sqrt"``, ``"inverse"``, ``"identity"``, ``"1/mu^2"``, as
        far as the family takes it; its usual one by default.
    nAGQ : int
        1 for Laplace's approximation; more for adaptive Gauss-Hermite quadrature with so many nodes; 0 takes the
        coefficients from penalised least squares, which is not the maximum of the likelihood.
    trials : str or array, optional
        Numbers of trials of a binomial response. Column name or one number per row.
    weights : str or array, optional
        Prior weights: of a binomial response the trials, as in R. Column name or one number per row.
    offset : str or array, optional
        Known part of the linear predictor. Column name or one number per row.
    dispersion : float, optional
        Known dispersion: shape, precision or size of the family; estimated by default.
    contrasts : dict, optional
        Column -> its coding: ``"treatment"``, ``("treatment", "b")``, ``"sum"``, ``"helmert"``, ``"poly"``, ``"sdif"``,
        an array or a labelled DataFrame, hypotheses ``{"b-a": "b - a"}``; ``"center"`` or ``"zscore"`` for numbers.
    start : array or results, optional
        Theta, coefficients and, where the family has one, log dispersion to start from, or results with the same;
        several starts of the package's own otherwise.
    method : {"auto", "direct", "iterative"}
        ``"direct"`` factorises, ``"iterative"`` does without a factor, with a Monte-Carlo error; ``"auto"`` takes the
        first one unless it needs more memory than there is, or far more time.
    options : FitOptions, optional
        Limits and tolerances of the search.
    progress : bool or callable, optional
        Whether a bar is shown; by default on a terminal or in a notebook after two seconds.

    Returns
    -------
    GeneralizedResults

    See Also
    --------
    GeneralizedLinearMixedModel : the same arguments at length, for a model that is fitted in a second step.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.glmer("r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)", ms.datasets.load("VerbAgg"))
    >>> fit.params.round(3).to_dict()["Anger"]
    0.057
    """
    model = GeneralizedLinearMixedModel(
        formula,
        data,
        family,
        link=link,
        trials=trials,
        weights=weights,
        offset=offset,
        dispersion=dispersion,
        contrasts=contrasts,
        env=CallerNames(2),
    )
    return model.fit(nAGQ, start=start, method=method, options=options, progress=progress)
