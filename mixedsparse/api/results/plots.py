"""Plots, by topic of their own: ``results.plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedsparse.api.results.base import ResultsBase

if TYPE_CHECKING:
    from mixedsparse.plotting import Plots

__all__ = ["PlotsMixin"]


class PlotsMixin(ResultsBase):
    """Door to the plots of `MixedResults`."""

    @property
    def plot(self) -> Plots:
        """Plots: ``.caterpillar()``, ``.residuals()``, ``.qq()``, ``.effects()``, ``.shrinkage()`` and others."""
        from mixedsparse.plotting import Plots

        return Plots(self)  # type: ignore[arg-type]
