"""statsmodels' `mixedlm` and `MixedLM` on this engine."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.model import LinearMixedModel
from mixedsparse.api.results import MixedResults
from mixedsparse.compat.arguments import check_fit, environment, reads_independent
from mixedsparse.compat.likelihood import LikelihoodMixin
from mixedsparse.compat.results import MixedLMResults
from mixedsparse.compat.structure import Structure, make_model, uncorrelated, without_rows
from mixedsparse.compat.warned import warn_again
from mixedsparse.core.problem.tied_chart import TiedChart
from mixedsparse.fitted.fit import fit_model
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.options import FitOptions
from mixedsparse.ground.progress import ProgressOption

if TYPE_CHECKING:
    from mixedsparse.data.formula.design import Design

__all__ = ["MixedLM", "mixedlm"]


class MixedLM(LikelihoodMixin):
    """statsmodels' ``MixedLM`` for arrays: random effects by group, and variance components within groups.

    Parameters
    ----------
    endog : array_like, shape (n,)
        Response.
    exog : array_like, shape (n, k_fe)
        Fixed-effects design, with a column of ones if there is to be an intercept.
    groups : array_like, shape (n,)
        Label of each row's group.
    exog_re : array_like, shape (n, k_re), optional
        Design of the groups' correlated random effects; a random intercept when there is no `exog_vc` either.
    exog_vc : VCSpec or dict of dict, optional
        ``exog_vc[name][group]``: matrix of the variance component `name` in `group`. Each column has an independent
        effect, all of one variance. A dict of dicts warns, as in statsmodels, which is to give it up.
    use_sqrt : bool
        How `loglike` and `score` read packed parameters: as standard deviations or as variances.
    missing : {"none", "drop", "raise"}
        What to do with rows where a value is missing; ``"none"`` and ``"raise"`` refuse them.

    Raises
    ------
    DataError, OptionError
        The arrays differ in length, hold missing values, or cannot support the model.

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> pigs = ms.datasets.load("dietox")
    >>> X = np.column_stack([np.ones(len(pigs)), pigs["Time"]])
    >>> ms.MixedLM(pigs["Weight"].to_numpy(), X, groups=pigs["Pig"]).fit().fe_params.round(3)
    array([15.724,  6.943])
    """

    @explains_arguments
    def __init__(
        self,
        endog: Any,
        exog: Any,
        groups: Any,
        exog_re: Any = None,
        exog_vc: Any = None,
        use_sqrt: bool = True,
        missing: str = "none",
    ) -> None:
        from mixedsparse.compat.arrays import read_arrays

        labelled = any(isinstance(given, pd.Series | pd.DataFrame) for given in (endog, exog))
        if isinstance(exog_vc, Mapping) and exog_vc:
            warnings.warn(
                "Using deprecated variance components format, a dict of dicts, which statsmodels is to give up: a "
                "VCSpec serves both.",
                FutureWarning,
                stacklevel=2,
            )
        self._set(*read_arrays(endog, exog, groups, exog_re, exog_vc, missing), labelled, use_sqrt)

    def _set(
        self,
        design: Design,
        structure: Structure,
        labelled: bool,
        use_sqrt: bool,
        typed: str | None = None,
        frame: Any = None,
    ) -> None:
        self.labelled, self.use_sqrt, self.typed, self.frame = labelled, use_sqrt, typed, frame
        self._models = {False: make_model(design)}
        self.structure = structure.with_kept(self.linear.problem.basis.kept.tolist())

    @classmethod
    def from_formula(
        cls,
        formula: str,
        data: Any,
        re_formula: str | None = None,
        vc_formula: Mapping[str, str] | None = None,
        subset: Any = None,
        use_sparse: bool = False,
        missing: str = "none",
        *,
        groups: Any,
        use_sqrt: bool = True,
        eval_env: Any = None,
    ) -> MixedLM:
        """Make a model from formulas: `mixedsparse.mixedlm`, which has the description."""
        from mixedsparse.compat.frames import read_frame

        env = environment(eval_env, depth=2)
        model = cls.__new__(cls)
        read = read_frame(formula, data, groups, re_formula, vc_formula, subset, missing, env)
        model._set(*read, True, use_sqrt, formula, data)
        return model

    def remove_rows(self) -> None:
        """Let go of the rows, and keep what was summed over them."""
        self._models = {independent: without_rows(model) for independent, model in self._models.items()}

    def __getstate__(self) -> dict[str, Any]:
        """State without the data: a file keeps the columns that the formula uses."""
        return {**self.__dict__, "frame": None}

    @property
    def linear(self) -> LinearMixedModel:
        """The same model as `mixedsparse.LinearMixedModel`."""
        return self._models[False]

    def fit(
        self,
        start_params: Any = None,
        reml: bool = True,
        niter_sa: int = 0,
        do_cg: bool = True,
        fe_pen: Any = None,
        cov_pen: Any = None,
        free: Any = None,
        full_output: bool = False,
        method: Any = None,
        *,
        options: FitOptions | None = None,
        progress: ProgressOption = None,
        **fit_kwargs: Any,
    ) -> MixedLMResults:
        """Fit the model.

        Parameters
        ----------
        start_params, niter_sa, do_cg, full_output, method, **fit_kwargs
            Steer statsmodels' optimisers; accepted and not used, as the engine finds the optimum without them.
        reml : bool
            Restricted maximum likelihood (default) or maximum likelihood.
        fe_pen, cov_pen : None
            Penalties are not supported.
        free : MixedLMParams, optional
            Ones, but for `cov_re`, which may be the identity matrix: random effects without correlations.
        options : FitOptions, optional
            Of this engine.
        progress : bool or callable, optional
            See `LinearMixedModel.fit`.

        Returns
        -------
        MixedLMResults

        Raises
        ------
        OptionError
            An argument is not known, or asks for another model.
        """
        check_fit(start_params, (fe_pen, cov_pen), fit_kwargs)
        independent = reads_independent(free, self.k_re)
        self.reml = bool(reml)
        model = self._model(independent)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if self.structure.is_tied:
                shared = self.structure.shared(model.problem, self.k_re if independent else min(self.k_re, 1))
                chart = TiedChart(model.problem, shared)
                fitted = fit_model(model, self.reml, chart=chart, method="direct", options=options, progress=progress)
                mixed = MixedResults._of(fitted)
            else:
                mixed = model.fit(self.reml, options=options, progress=progress)
        warn_again(caught)
        return MixedLMResults(self, mixed, independent)

    def _model(self, independent: bool) -> LinearMixedModel:
        """Model with or without correlations of the groups' random effects."""
        if independent not in self._models:
            self._models[independent] = make_model(uncorrelated(self.linear.design))
        return self._models[independent]

    def __repr__(self) -> str:
        """Show formula and sizes."""
        return f"MixedLM({self.linear.formula!r}, n={self.nobs}, groups={self.n_groups})"


@explains_arguments
def mixedlm(
    formula: str,
    data: Any,
    re_formula: str | None = None,
    vc_formula: Mapping[str, str] | None = None,
    subset: Any = None,
    use_sparse: bool = False,
    missing: str = "none",
    *,
    groups: Any,
    use_sqrt: bool = True,
    eval_env: Any = None,
) -> MixedLM:
    """Make statsmodels' mixed model from formulas: a script changes its import and nothing else.

    Parameters
    ----------
    formula : str
        ``"y ~ x"``, fixed effects.
    data : data frame
        pandas, polars or pyarrow table, or a dict of columns.
    re_formula : str, optional
        Random effects of each group, correlated: ``"~Time"`` (an intercept is implied), ``"1"``, ``"0 + x"``. A random
        intercept when there is no `vc_formula` either; with `vc_formula` alone, or ``"0"`` beside it, the groups have
        none.
    vc_formula : dict, optional
        Variance components, name -> formula. Within each group the columns of the formula's design have independent
        effects, all of one variance: ``{"classroom": "0 + C(classroom)"}`` has an effect of each classroom of each
        group, ``"0 + C(classroom):x"`` a slope. With one constant group the components are crossed factors.
    subset : array_like, optional
        Rows to use, as in ``data.loc[subset]``.
    use_sparse : bool
        Accepted, not used: everything is sparse.
    use_sqrt : bool
        See `MixedLM`.
    missing : {"none", "drop", "raise"}
        What to do with rows where a variable is missing; ``"none"`` and ``"raise"`` refuse them.
    groups : str or array_like, shape (rows of data,)
        Column of `data`, or label of each row's group. The grouping factor of `MixedLM.linear`, which new data must
        have for ``.mixed.predict``, is that column, the name of a Series, or ``Group``.
    eval_env : int, optional
        Frames above the caller's own whose names the formulas may use; -1 for none.

    Returns
    -------
    MixedLM
        ``.fit()`` gives `MixedLMResults`.

    Raises
    ------
    FormulaError, DataError, ColumnError, OptionError
        The message names the formula or the column, and the mend.

    Notes
    -----
    The model is `mixedsparse.lmer`'s ``formula + (re_formula | groups) + (1 | groups:classroom) + ...``; see
    ``MixedLM.linear.formula``. In the fixed part patsy's functions have patsy's meaning and names: ``scale(x)``
    divides by the standard deviation with n, ``C(x, Treatment(1))`` may count levels.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> model = ms.mixedlm("Weight ~ Time", ms.datasets.load("dietox"), groups="Pig", re_formula="~Time")
    >>> model.fit().cov_re.round(2)
            Pig  Time
    Pig   19.49  0.29
    Time   0.29  0.42
    """
    from mixedsparse.compat.frames import read_frame

    env = environment(eval_env, depth=2)
    model = MixedLM.__new__(MixedLM)
    read = read_frame(formula, data, groups, re_formula, vc_formula, subset, missing, env)
    model._set(*read, True, use_sqrt, formula, data)
    return model
