"""`results.plot`, parameters: profiles and replicates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mixedsparse.ground.choices import ProfilePlot
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from mixedsparse.inference.bootstrap import Bootstrap
    from mixedsparse.inference.profile import Profile
    from mixedsparse.plotting.axes import AxesOption

__all__ = ["ParameterPlots"]


class ParameterPlots(Answers):
    """Plots of profiles and bootstrap replicates, the same for linear and generalized fits."""

    @abstractmethod
    def _profiled(self, which: str | Iterable[str]) -> Profile:
        """Profile the likelihood of the fit."""

    def profile(
        self,
        profile: Profile | None = None,
        which: str | Iterable[str] = "all",
        *,
        kind: ProfilePlot = "zeta",
        level: float = 0.95,
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """Likelihood profiles, a panel per parameter: a straight line is a quadratic likelihood.

        Parameters
        ----------
        profile : Profile, optional
            What ``results.profile()`` returned; computed if not given.
        which : str or sequence of str
            Parameters by name; ``"all"``, or where `profile` is not given also ``"fixed"`` or ``"random"``.
        kind : {"zeta", "abs", "density"}
            Signed root of the rise of the deviance, its absolute value, or the density that it implies.
        level : float
            Of the interval that is marked.
        ax : Axes or array of Axes, optional

        Returns
        -------
        Axes, or array of Axes (parameters,)
        """
        from mixedsparse.plotting.axes import alone
        from mixedsparse.plotting.parameters import draw_profile

        if profile is None:
            profile, which = self._profiled(which), "all"
        return alone(draw_profile(profile, kind, which, level, ax))

    def bootstrap(
        self,
        boot: Bootstrap,
        which: str | Iterable[str] = "all",
        *,
        level: float = 0.95,
        ax: AxesOption = None,
    ) -> Axes | np.ndarray:
        """Densities of bootstrap replicates, a panel per parameter, with estimate and percentile interval marked.

        Parameters
        ----------
        boot : Bootstrap
            What ``results.bootstrap()`` returned.
        which : str or sequence of str
            Columns of its table; all by default.
        level : float
        ax : Axes or array of Axes, optional

        Returns
        -------
        Axes, or array of Axes (parameters,)
        """
        from mixedsparse.plotting.axes import alone
        from mixedsparse.plotting.parameters import draw_bootstrap

        return alone(draw_bootstrap(boot, which, level, ax))
