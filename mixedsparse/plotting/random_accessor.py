"""`results.plot`, random effects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mixedsparse.ground.choices import Errors
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.plotting.axes import AxesOption

__all__ = ["RandomPlots"]


class RandomPlots(Answers):
    """Plots of the random effects; the methods are those of `Plots`."""

    _fitted: Fitted

    def caterpillar(
        self,
        group: str | None = None,
        effects: str | Iterable[str] | None = None,
        *,
        level: float = 0.95,
        sort: str | None = "first",
        errors: Errors = "prediction",
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """Conditional modes of the random effects with intervals, a panel per effect and a row per level.

        Parameters
        ----------
        group : str, optional
            Grouping factor; the one with most levels by default.
        effects : str or sequence of str, optional
            Effects to show; all by default.
        level : float
            Of the intervals, mode -+ normal quantile times standard deviation.
        sort : str or None
            Effect by which the levels are ordered; ``"first"`` for the first one shown, None for the order of the data.
        errors : {"prediction", "conditional"}
            Standard deviations of the errors of the modes, coefficients estimated (`random_effects_error_cov`); or of
            the random effects given y and the coefficients (`random_effects_cov`, lme4's ``condVar``), whose intervals
            are too short. The axis says which.
        ax : Axes or array of Axes, optional

        Returns
        -------
        Axes, or array of Axes (effects,)

        Raises
        ------
        OptionError
            There is no such factor or effect, or `ax` holds too few or too many Axes.
        """
        from mixedsparse.plotting.modes import caterpillar

        return caterpillar(self._fitted, group, effects, level, sort, errors, ax)

    def random_qq(
        self,
        group: str | None = None,
        effects: str | Iterable[str] | None = None,
        *,
        level: float = 0.95,
        errors: Errors = "prediction",
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """Conditional modes with intervals against normal quantiles, a panel per effect.

        The line has the mean and the standard deviation of the modes, which are shrunken: it is flatter than the
        standard deviation that was estimated.

        Parameters
        ----------
        group, effects, level, errors
            As for `caterpillar`.
        ax : Axes or array of Axes, optional

        Returns
        -------
        Axes, or array of Axes (effects,)
        """
        from mixedsparse.plotting.modes import random_qq

        return random_qq(self._fitted, group, effects, level, errors, ax)

    def random_pairs(
        self,
        group: str | None = None,
        effects: str | Iterable[str] | None = None,
        *,
        ax: AxesOption = None,
    ) -> np.ndarray:
        """Conditional modes of one grouping factor, effect by effect.

        Below the diagonal the modes, with the ellipse that holds 95 % of the normal distribution fitted to the effects;
        on it their histogram and density; above it the correlation that was estimated.

        Parameters
        ----------
        group, effects
            As for `caterpillar`; at least two effects.
        ax : array of Axes (effects, effects), optional

        Returns
        -------
        array of Axes (effects, effects)
        """
        from mixedsparse.plotting.modes import random_pairs

        return random_pairs(self._fitted, group, effects, ax)

    def shrinkage(
        self,
        group: str | None = None,
        effects: str | Iterable[str] | None = None,
        *,
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """How far the model pulls each level from its own least-squares estimates towards the population.

        The estimates within a level take all other parts of the model as fitted; levels whose rows do not determine
        all of their effects have none. The coefficient of a fixed effect of the same name is added to both.

        Parameters
        ----------
        group, effects
            As for `caterpillar`.
        ax : Axes or array of Axes, optional

        Returns
        -------
        Axes, or array of Axes (pairs of effects,)
        """
        from mixedsparse.plotting.shrinkage import shrinkage

        return shrinkage(self._fitted, group, effects, ax)
