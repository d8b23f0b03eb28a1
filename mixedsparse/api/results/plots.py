"""Plots, by topic of their own: ``results.plot``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.api.results.model_plots import ModelPlots
from mixedsparse.inference.drawing import draws
from mixedsparse.plotting import Plots

if TYPE_CHECKING:
    from mixedsparse.plotting.page import Part

__all__ = ["MixedPlots", "PlotsMixin"]


class MixedPlots(Plots, ModelPlots):
    """Plots of a linear fit; see `Plots` for ``ax``."""

    def __init__(self, results: Any) -> None:
        self._results = results
        Plots.__init__(self, results._fitted)

    def _along(self, random: str) -> tuple[np.ndarray, str]:
        return np.asarray(self._results.predict(random=random)), f"Fitted value ({random})"

    @property
    def _residual_parts(self) -> list[Part]:
        from mixedsparse.plotting.page import Part

        return [
            Part("Linearity", "The line should be flat", lambda ax: self.residuals(ax=ax)),
            Part("Equal variances", "The line should be flat", lambda ax: self.scale_location(ax=ax)),
            Part("Normal residuals", "Points should be near the line", lambda ax: self.qq(ax=ax)),
        ]


class PlotsMixin(ResultsBase):
    """Door to the plots of `MixedResults`."""

    @property
    def plot(self) -> MixedPlots:
        """Plots: ``.check_model()``, ``.coefficients()``, ``.effects()``, ``.residuals()``, ``.qq()`` and others."""
        return MixedPlots(self)


def _draw_profile(*arguments: Any) -> Any:
    from mixedsparse.plotting.parameters import draw_profile

    return draw_profile(*arguments)


def _draw_bootstrap(*arguments: Any) -> Any:
    from mixedsparse.plotting.parameters import draw_bootstrap

    return draw_bootstrap(*arguments)


def _draw_means(*arguments: Any) -> Any:
    from mixedsparse.plotting.means import draw_means

    return draw_means(*arguments)


def _draw_contrasts(*arguments: Any) -> Any:
    from mixedsparse.plotting.means import draw_contrasts

    return draw_contrasts(*arguments)


draws("profile", _draw_profile)
draws("bootstrap", _draw_bootstrap)
draws("means", _draw_means)
draws("contrasts", _draw_contrasts)
