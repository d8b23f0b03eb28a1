"""`results.plot` of generalized fits: one method per plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.api.results.model_plots import ModelPlots
from mixedsparse.ground.choices import GeneralizedResidual, Scale
from mixedsparse.ground.errors import OptionError
from mixedsparse.plotting.parameter_accessor import ParameterPlots
from mixedsparse.plotting.random_accessor import RandomPlots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.inference.profile import Profile
    from mixedsparse.plotting.axes import AxesOption
    from mixedsparse.plotting.page import Part

__all__ = ["GeneralizedPlots", "PlotsMixin"]


class GeneralizedPlots(ModelPlots, ParameterPlots, RandomPlots):
    """Plots of a generalized fit; see `Plots` for ``ax``.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.glmer("r2 ~ Anger + btype + (1 | id) + (1 | item)", ms.datasets.load("VerbAgg"))
    >>> fit.plot.calibration().get_xlabel()
    'Fitted P(r2 = Y)'
    """

    _fitted: GeneralizedFitted

    def __init__(self, results: Any) -> None:
        self._results = results
        self._fitted = results._fitted

    def __repr__(self) -> str:
        names = ", ".join(name for name in dir(GeneralizedPlots) if not name.startswith("_"))
        return f"<Plots of {self._fitted.model.formula}: {names}>"

    def residuals(
        self,
        against: str | None = None,
        *,
        kind: GeneralizedResidual = "quantile",
        seed: int | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Residuals against the linear predictor, or against a column of the data, with a smooth trend.

        Parameters
        ----------
        against : str, optional
            Column that the formula uses: a scatter for numbers, boxes for a factor.
        kind : {"quantile", "deviance", "pearson", "response", "working"}
            See `GeneralizedResults.residuals`: ``"quantile"`` is normal if the model is right, also for rows of one
            trial, whose other residuals lie on two curves whatever the model.
        seed : int, optional
            Of ``"quantile"``.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.diagnostics.generalized import residuals
        from mixedsparse.plotting.residuals import against_column, draw_residuals

        self._fitted.needs_optimum("A plot of residuals")
        values = residuals(self._fitted, kind, seed).to_numpy()
        x = self._fitted.linear_predictor if against is None else against_column(self._fitted, against)
        along = "Linear predictor" if against is None else against
        return draw_residuals(x, values, along, f"{kind.capitalize()} residual", ax)

    def qq(self, *, level: float = 0.95, seed: int | None = None, ax: Axes | None = None) -> Axes:
        """Quantile residuals against normal quantiles, on the line where the two are equal.

        Parameters
        ----------
        level : float
            Of the band, pointwise for independent standard normal draws.
        seed : int, optional
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.diagnostics.generalized import residuals
        from mixedsparse.plotting.residuals import draw_qq

        self._fitted.needs_optimum("A plot of residuals")
        values = residuals(self._fitted, "quantile", seed).to_numpy()
        return draw_qq(values, level, "Quantile residual", ax)

    def calibration(self, bins: int = 10, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
        """Observed proportions or means by bins of the fitted value, on the line where the two are equal.

        Fitted values are conditional, and belong to the rows that the fit has seen: it will do worse on new levels.

        Parameters
        ----------
        bins : int
            With about equal numbers of rows.
        level : float
            Of the limits, for independent rows given the fitted values: Wilson's for proportions, normal ones with the
            variance of the family for other means.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.diagnostics.calibration import calibration
        from mixedsparse.plotting.generalized import draw_calibration

        self._fitted.needs_optimum("Calibration")
        return draw_calibration(calibration(self._fitted, bins, level), self._fitted.design.response, ax)

    def effects(
        self,
        terms: str | Iterable[str] | None = None,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        type: Scale = "response",
        level: float = 0.95,
        data: bool = False,
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """Draw the population mean along each predictor, with bands; the same means as `emmeans`.

        Parameters
        ----------
        terms, by, at, level, data, ax
            See `Plots.effects`; data are proportions or means of the rows. Single outcomes, 0 or 1, are drawn as the
            proportions of each level of the first grouping factor, within tenths of the rows along a covariate.
        type : {"response", "link"}
            Means of the response, or linear predictors, which have no data. Random effects are 0.

        Returns
        -------
        Axes, or array of Axes (terms,)
        """
        from mixedsparse.inference.response_scale import scale_of
        from mixedsparse.plotting.effects import effects

        if data and type == "link":
            raise OptionError(
                "data=True draws responses, which have no place on the scale of the link: type='response'."
            )
        scale = scale_of(self._fitted, type)
        observed = self._responses() if data else None
        units = self._units() if data else None
        return effects(self._fitted, terms, by, at, level, "normal", ax, scale, observed, units)

    def shrinkage(
        self, group: str | None = None, effects: str | Iterable[str] | None = None, *, ax: AxesOption = None
    ) -> Axes | np.ndarray:
        """How far the model pulls each level from its own maximum-likelihood estimates towards the population.

        All other parts of the model are taken as fitted, on the scale of the linear predictor. Levels whose rows do not
        determine their effects, or all of whose outcomes are failures (or successes, or 0), have no such estimate.

        Parameters
        ----------
        group, effects, ax
            See `Plots.shrinkage`.

        Returns
        -------
        Axes, or array of Axes (pairs of effects,)
        """
        from mixedsparse.plotting.generalized import maximum_within
        from mixedsparse.plotting.shrinkage import shrinkage

        return shrinkage(self._fitted, group, effects, ax, maximum_within)

    def coefficients(
        self,
        which: str | Iterable[str] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        intercept: bool = False,
        exp: bool = False,
        level: float = 0.95,
        values: bool = True,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw fixed effects with their intervals, a row for each.

        Parameters
        ----------
        which, labels, intercept, level, values, ax
            See `Plots.coefficients`.
        exp : bool
            Draw exponentials, odds ratios of a logistic model, on a logarithmic axis.

        Returns
        -------
        Axes
        """
        from mixedsparse.plotting.forest import coefficients

        return coefficients(self._fitted, which, labels, intercept, level, "normal", exp, values, ax)

    def _along(self, random: str) -> tuple[np.ndarray, str]:
        return np.asarray(self._results.predict(type="link", random=random)), f"Linear predictor ({random})"

    @property
    def _residual_parts(self) -> list[Part]:
        from mixedsparse.plotting.page import Part

        return [
            Part("Linearity", "The line should be flat", lambda ax: self.residuals(seed=0, ax=ax)),
            Part("Calibration", "Points should be near the line", lambda ax: self.calibration(ax=ax)),
            Part("Quantile residuals", "Points should be near the line", lambda ax: self.qq(seed=0, ax=ax)),
        ]

    @property
    def _trials(self) -> Any:
        """Trials of binomial rows: simulated responses are numbers of successes."""
        trials = self._fitted.weights if self._fitted.family.name == "binomial" else None
        return 1.0 if trials is None else trials[:, None]

    def _responses(self) -> np.ndarray:
        """Responses (n,) as the family has them."""
        self._fitted.needs("rows", "Drawing the data")
        return self._fitted.model.response

    def _units(self) -> np.ndarray | None:
        """Level (n,) of the first grouping factor, where responses are single outcomes."""
        model = self._fitted.model
        if model.family.name != "binomial" or model.several_trials is not None:
            return None
        return next((term.codes for term in model.design.terms if term.codes.ndim == 1), None)

    def _profiled(self, which: str | Iterable[str]) -> Profile:
        from mixedsparse.inference.generalized.profile import generalized_profile

        return generalized_profile(self._fitted, which)


class PlotsMixin(ResultsBase):
    """Door to the plots of `GeneralizedResults`."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    @property
    def plot(self) -> GeneralizedPlots:
        """Plots: ``.check_model()``, ``.coefficients()``, ``.effects()``, ``.residuals()``, ``.qq()`` and others."""
        return GeneralizedPlots(self)
