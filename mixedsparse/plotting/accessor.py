"""`results.plot`: one method per plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mixedsparse.ground.choices import Autocorrelated, Ddf, ResidualPlot
from mixedsparse.plotting.parameter_accessor import ParameterPlots
from mixedsparse.plotting.random_accessor import RandomPlots

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.inference.profile import Profile
    from mixedsparse.plotting.axes import AxesOption

__all__ = ["Plots"]


class Plots(ParameterPlots, RandomPlots):
    """Plots of a fit. Each method draws into Axes and returns them, an array of them if there are several panels.

    ``ax`` takes Axes of your own (as many as there are panels); without it there is a new figure, which shows itself in
    a notebook and by ``matplotlib.pyplot.show()`` elsewhere. matplotlib is imported when a method is called. Letters
    that its font lacks, Chinese ones among them, need ``rcParams["font.family"] = ["DejaVu Sans", "Noto Sans CJK SC"]``
    or another font that is installed.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> [panel.get_title() for panel in fit.plot.caterpillar()]
    ['Intercept', 'Days']
    """

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted

    def __repr__(self) -> str:
        names = ", ".join(name for name in dir(type(self)) if not name.startswith("_"))
        return f"<Plots of {self._fitted.model.formula}: {names}>"

    def residuals(self, against: str | None = None, *, kind: ResidualPlot = "scaled", ax: Axes | None = None) -> Axes:
        """Residuals against fitted values, or against a column of the data, with a smooth trend.

        Parameters
        ----------
        against : str, optional
            Column that the formula uses: a scatter for numbers, boxes for a factor; fitted values by default.
        kind : {"scaled", "response"}
            ``resid_scaled`` (no units, weights taken into account) or ``resid`` (units of y).
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.plotting.residuals import residuals

        return residuals(self._fitted, against, kind, ax)

    def scale_location(self, *, ax: Axes | None = None) -> Axes:
        """Square root of the absolute scaled residuals against fitted values: a trend means unequal variances.

        Parameters
        ----------
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.plotting.residuals import scale_location

        return scale_location(self._fitted, ax)

    def residual_acf(
        self,
        *,
        kind: Autocorrelated = "normalized",
        group: str | None = None,
        lags: int | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Autocorrelation of residuals within groups, with limits of 95 % for independent ones.

        Parameters
        ----------
        kind, group, lags
            See `MixedResults.residual_acf`.
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.plotting.residual_covariance import draw_acf

        return draw_acf(self._fitted, kind, group, lags, ax)

    def residual_covariance(self, *, ax: Axes | None = None) -> Axes:
        """Empirical variances and covariances of marginal residuals between visits against the fitted ones.

        Parameters
        ----------
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.plotting.residual_covariance import draw_residual_covariance

        return draw_residual_covariance(self._fitted, ax)

    def qq(self, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
        """Scaled residuals against normal quantiles, on the line where the two are equal.

        Parameters
        ----------
        level : float
            Of the band, pointwise for independent standard normal draws (a guide: residuals are neither quite).
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from mixedsparse.plotting.residuals import qq

        return qq(self._fitted, level, ax)

    def effects(
        self,
        terms: str | Iterable[str] | None = None,
        *,
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        level: float = 0.95,
        ddf: Ddf = "satterthwaite",
        data: bool = False,
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """Draw the population mean along each predictor, with bands; the same means as `emmeans`.

        Parameters
        ----------
        terms : str or sequence of str, optional
            Predictors, a panel each; all by default. Other covariates stand at their mean, other factors are averaged
            over with equal weights.
        by : str or sequence of two str, optional
            Predictor with a line for each of its levels, and one with a panel for each; a covariate stands at its 10,
            50 and 90 % quantiles.
        at : dict, optional
            Predictor -> values to use in place of these.
        level : float
            Of the bands, pointwise.
        ddf : {"satterthwaite", "kenward-roger", "normal"}
        data : bool
            Draw the responses behind the means, those of a level moved a little to the left and right; rows stand with
            the nearest value of a covariate in `by`.
        ax : Axes or array of Axes, optional

        Returns
        -------
        Axes, or array of Axes (terms x panels of each,)

        Raises
        ------
        OptionError
            A name is not a predictor of the fixed part, or there is none.
        DataError
            The model was made from arrays.
        """
        from mixedsparse.plotting.effects import effects

        observed = self._responses() if data else None
        return effects(self._fitted, terms, by, at, level, ddf, ax, observed=observed)

    def coefficients(
        self,
        which: str | Iterable[str] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        intercept: bool = False,
        level: float = 0.95,
        ddf: Ddf = "satterthwaite",
        values: bool = True,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw fixed effects with their intervals, a row for each.

        Parameters
        ----------
        which : str or sequence of str, optional
            Coefficients by name, in this order; by default all but the intercept.
        labels : dict, optional
            Name of a coefficient -> what to write for it.
        intercept : bool
            Show the intercept too.
        level : float
        ddf : {"satterthwaite", "kenward-roger", "normal"}
        values : bool
            Write estimates and limits beside the rows.
        ax : Axes, optional

        Returns
        -------
        Axes

        Raises
        ------
        OptionError
            A name is not a coefficient, or there is none but the intercept.
        """
        from mixedsparse.plotting.forest import coefficients

        return coefficients(self._fitted, which, labels, intercept, level, ddf, False, values, ax)

    def sparsity(self, *, ax: AxesOption = None) -> np.ndarray:
        """Pattern of Z'Z, and of the Cholesky factor L as the engine keeps it.

        Cells of large matrices are shaded by the share of entries in them. CHOLMOD orders the rows of L so that little
        fills in; the split engine eliminates one factor and keeps the rest as a full triangle.

        Parameters
        ----------
        ax : array of two Axes, optional

        Returns
        -------
        array of two Axes
        """
        from mixedsparse.plotting.sparsity import sparsity

        return sparsity(self._fitted, ax)

    def _responses(self) -> np.ndarray:
        """Responses (n,) as the formula has them."""
        self._fitted.needs("rows", "Drawing the data")
        return self._fitted.values + self._fitted.residuals

    def _profiled(self, which: str | Iterable[str]) -> Profile:
        from mixedsparse.inference.profile import profile

        return profile(self._fitted, which)
