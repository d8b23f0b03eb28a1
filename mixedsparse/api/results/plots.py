"""Plots, by topic of their own: ``results.plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.inference.drawing import draws

if TYPE_CHECKING:
    from mixedsparse.plotting import Plots

__all__ = ["PlotsMixin"]


class PlotsMixin(ResultsBase):
    """Door to the plots of `MixedResults`."""

    @property
    def plot(self) -> Plots:
        """Plots: ``.caterpillar()``, ``.residuals()``, ``.qq()``, ``.effects()``, ``.shrinkage()`` and others."""
        from mixedsparse.plotting import Plots

        return Plots(self._fitted)


def _draw_profile(*arguments: Any) -> Any:
    from mixedsparse.plotting.parameters import draw_profile

    return draw_profile(*arguments)


def _draw_bootstrap(*arguments: Any) -> Any:
    from mixedsparse.plotting.parameters import draw_bootstrap

    return draw_bootstrap(*arguments)


draws("profile", _draw_profile)
draws("bootstrap", _draw_bootstrap)
