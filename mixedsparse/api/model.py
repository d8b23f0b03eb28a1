"""Models: formula and data to a problem, and the problem to results. Fitting never changes a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mixedsparse.api.costs import CostMixin
from mixedsparse.api.many_mixin import ManyMixin
from mixedsparse.api.results import MixedResults
from mixedsparse.api.results.base import parameters_of
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.fitted.fit import fit_model
from mixedsparse.fitted.model import Model, read
from mixedsparse.fitted.origins import remember
from mixedsparse.ground.caller import CallerNames
from mixedsparse.ground.choices import Method
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.options import FitOptions
from mixedsparse.ground.progress import CountOption, ProgressOption

__all__ = ["LinearMixedModel", "lmer"]


class LinearMixedModel(CostMixin, ManyMixin, Model):
    """A linear mixed model: y = X beta + Z b + e, b ~ N(0, sigma^2 Lambda Lambda'), e ~ N(0, sigma^2 / w).

    Parameters
    ----------
    formula : str
        As in lme4: ``"y ~ x + (1 + x | subject) + (1 | item)"``. A formula is code: Python evaluates what stands inside
        calls, with the caller's names, so never take one from a source that you would not run.
    data : data frame or source
        pandas, polars or pyarrow table, or a dict of columns. Or a source larger than memory: the path of a Parquet
        file, a directory or a glob, a DuckDB relation, or a table of any back end of Ibis. Its rows stay there, and
        only sums over levels are read. Numbers are covariates; text, categories and truth values are factors; dates
        and other objects are refused, unless ``C(...)`` makes factors of them.
    weights, offset : str or array, optional
        Column name or one number per row; a column name for a source. A Series goes by its index, which must have the
        labels of the data; other arrays by the order of the rows.
    residual : str, optional
        Covariance of the residuals within groups: ``"us(visit | patient)"`` (any), ``"ar1(time | g)"``, ``"car1(time |
        g)"`` (times that are not whole numbers), ``"cs(1 | g)"``, ``"toep(visit | g)"``; ``"hetar1"``, ``"cs(visit |
        g)"`` and ``"toep"`` have a variance for each visit unless ``hom=True``, `ar1` unless ``hom=False`` has not.
        With it a formula needs no bar, and has random effects of the group, or of what that is nested in, only.
    dispersion : str, optional
        Log of the residual variance as a linear predictor: ``"~ stratum"``, ``"~ x"`` (exponential in x), ``"~
        log(x)"`` (a power of x). `sigma` belongs to covariates of 0.
    contrasts : dict, optional
        Column -> ``"treatment"`` (against the first level; ``("treatment", "b")`` against that one, ``"SAS"`` against
        the last), ``"sum"``, ``"helmert"``, ``"poly"``, ``"sdif"`` (each level against the one before), an array
        (levels, levels - 1), a DataFrame whose index says which level a row is for and whose columns name the
        coefficients (``length[q-p]``), or hypotheses about the levels, ``{"b-a": "b - a"}``, see `hypotheses`. Applied
        to the column wherever it is a term, alone or as ``C(column)``, in the fixed part and left of a bar. A number is
        centred by ``"center"`` or ``("center", 5)``, standardised by ``"zscore"``, and divided by ``("scale", 10)``,
        which the formula then says. Ordered categories are coded as any others, unlike in R, and `summary` notes it.
    relations : dict, optional
        Known relationships among the levels of factors that stand in ``rel(...)``, as in ``(1 | rel(animal))``:
        ``{"animal": ms.Pedigree(frame)}``, a square DataFrame whose rows and columns have the levels as labels, or
        ``ms.Precision(P, levels)``. Levels without rows are predicted too; ``(1 | animal)`` beside it is independent.
    progress : bool or callable, optional
        Whether a bar shows how far the reading of a source is; by default on an interactive terminal or in
        a notebook after two seconds.

    Raises
    ------
    FormulaError, DataError, ColumnError
        The formula cannot be read, or the data cannot support it; the message names the column and the mend.
    ArgumentError
        There is an argument that is not known; the message says what to write instead.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> model = ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> round(model.fit().criterion, 4)
    1743.6283
    """

    @explains_arguments
    def __init__(
        self,
        formula: str,
        data: Any,
        *,
        weights: Any = None,
        offset: Any = None,
        contrasts: Mapping[str, Any] | None = None,
        residual: str | None = None,
        dispersion: str | None = None,
        relations: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
        progress: CountOption = None,
    ) -> None:
        env = CallerNames(2) if env is None else env  # the caller is past the frame of the decorator
        given: dict[str, Any] = {"residual": residual, "dispersion": dispersion, "relations": relations}
        given |= {"env": env, "progress": progress}
        super().__init__(*read(formula, data, weights=weights, offset=offset, contrasts=contrasts, **given))
        remember(self.design, data)

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
        from mixedsparse.data.formula.arrays import array_design

        return cls.of_design(array_design(y, X, terms, weights=weights, offset=offset, x_names=x_names))

    def fit(
        self,
        reml: bool = True,
        *,
        start: Any = None,
        method: Method = "auto",
        options: FitOptions | None = None,
        progress: ProgressOption = None,
    ) -> MixedResults:
        """Fit the model.

        Parameters
        ----------
        reml : bool
            Restricted maximum likelihood (default) or maximum likelihood.
        start : array, shape (m,), or results, optional
            Theta to start from, and from nowhere else, or results (of other data, from a file, a `Plan.truth`) with the
            same random effects; moment estimates otherwise (`FitOptions.restart_budget`).
        method : {"auto", "direct", "iterative"}
            ``"direct"`` factorises; every number is exact. ``"iterative"`` needs no factor, which several large crossed
            factors would fill in; its estimates have a Monte-Carlo error, see `MixedResults.monte_carlo`. ``"auto"`` is
            direct unless that takes more than the memory there is, or more than a minute or so and several times what
            the iterative method takes; see `cost`.
        options : FitOptions, optional
        progress : bool or callable, optional
            True shows a bar with the time left (plain lines without tqdm), False nothing; by default a bar appears on
            a terminal or in a notebook if the fit takes longer than two seconds. A callable gets each `Iteration`.

        Returns
        -------
        MixedResults

        Raises
        ------
        BackendError
            ``method="direct"`` needs more memory than there is; said before it is allocated.

        Warns
        -----
        SingularFitWarning, NotIdentifiedWarning, ConvergenceWarning, DroppedRowsWarning, DroppedColumnsWarning,
        FarFromZeroWarning, BinaryResponseWarning, CountResponseWarning

        Notes
        -----
        Ctrl-C ends the search once it has a point, and returns results for that with a ConvergenceWarning; give their
        `theta` as `start` to go on. Before its first evaluation is done, and while data are read, there is nothing to
        return: KeyboardInterrupt is raised. Threads may share a model, and processes be forked before or after a fit.
        """
        return MixedResults._of(
            fit_model(self, reml, start=parameters_of(start), method=method, options=options, progress=progress)
        )

    def __repr__(self) -> str:
        """Show formula and sizes."""
        return f"LinearMixedModel({self.formula!r}, n={self.problem.n}, q={self.problem.layout.q})"


@explains_arguments
def lmer(
    formula: str,
    data: Any,
    *,
    reml: bool = True,
    weights: Any = None,
    offset: Any = None,
    contrasts: Mapping[str, Any] | None = None,
    residual: str | None = None,
    dispersion: str | None = None,
    relations: Mapping[str, Any] | None = None,
    start: Any = None,
    method: Method = "auto",
    options: FitOptions | None = None,
    progress: ProgressOption = None,
) -> MixedResults:
    """Fit a linear mixed model: ``LinearMixedModel(formula, data, ...).fit(reml, ...)``.

    Parameters
    ----------
    formula : str
        Fixed effects, and random effects in bars, as in lme4: ``"y ~ x + (1 + x | subject) + (1 | item)"``; ``||`` for
        effects without correlations, ``a/b`` for nested factors, ``a:b`` for combinations. A formula is code: never
        take one from a source that you would not run.
    data : data frame or source
        pandas, polars or pyarrow table, or a dict of columns; or a path of Parquet files, a DuckDB relation or an Ibis
        table, whose rows stay where they are. Rows with missing values are left out, with a warning.
    reml : bool
        Restricted maximum likelihood; False for maximum likelihood.
    weights : str or array, optional
        Prior weights: the residual variance of a row is sigma^2 over its weight. Column name or one number per row.
    offset : str or array, optional
        Known part of the response. Column name or one number per row.
    contrasts : dict, optional
        Column -> its coding: ``"treatment"``, ``("treatment", "b")``, ``"sum"``, ``"helmert"``, ``"poly"``, ``"sdif"``,
        an array or a labelled DataFrame, hypotheses ``{"b-a": "b - a"}``; ``"center"`` or ``"zscore"`` for numbers.
    residual : str, optional
        Covariance of the residuals within groups: ``"us(visit | patient)"``, ``"ar1(time | g)"``, ``"cs(1 | g)"``, ...
    dispersion : str, optional
        Log of the residual variance as a linear predictor: ``"~ stratum"``, ``"~ log(x)"``.
    relations : dict, optional
        Known relationships among the levels of factors in ``rel(...)``: ``{"animal": ms.Pedigree(frame)}``.
    start : array or results, optional
        Theta to start from, or results with the same random effects; several starts of the package's own otherwise.
    method : {"auto", "direct", "iterative"}
        ``"direct"`` factorises, ``"iterative"`` does without a factor, with a Monte-Carlo error; ``"auto"`` takes the
        first one unless it needs more memory than there is, or far more time.
    options : FitOptions, optional
        Limits and tolerances of the search.
    progress : bool or callable, optional
        Whether a bar is shown; by default on a terminal or in a notebook after two seconds.

    Returns
    -------
    MixedResults

    See Also
    --------
    LinearMixedModel : the same arguments at length, for a model that is fitted in a second step.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> fit.params.round(3).to_dict()
    {'Intercept': 251.405, 'Days': 10.467}
    """
    reading = None if callable(progress) else progress
    model = LinearMixedModel(
        formula,
        data,
        weights=weights,
        offset=offset,
        contrasts=contrasts,
        residual=residual,
        dispersion=dispersion,
        relations=relations,
        env=CallerNames(2),
        progress=reading,
    )
    return model.fit(reml, start=start, method=method, options=options, progress=progress)
