"""`results.plot`, what needs more than the fit: deletions, simulations, and a page of checks."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from mixedsparse.ground.choices import Redraw
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes

    from mixedsparse.diagnostics.scaled import ScaledResiduals
    from mixedsparse.plotting.axes import AxesOption
    from mixedsparse.plotting.page import Part

__all__ = ["ModelPlots"]

# Effects whose modes are drawn on the page of checks.
_MOST_EFFECTS = 6


class ModelPlots(Answers):
    """Plots of what methods of the results find; the same for linear and generalized fits."""

    _results: Any

    @abstractmethod
    def _along(self, random: str) -> tuple[np.ndarray, str]:
        """Fitted values (n,), conditional ones or those of the population, and their name."""

    @property
    @abstractmethod
    def _residual_parts(self) -> list[Part]:
        """What is to be seen of the residuals, for the page of checks."""

    @abstractmethod
    def _responses(self) -> np.ndarray:
        """Responses (n,) on the scale of simulated ones over trials."""

    def influence(self, group: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Cook's distances of the levels of a grouping factor, or of the rows, the largest with their names.

        Parameters
        ----------
        group : str, optional
            Grouping factor whose levels are deleted in turn, see ``results.influence``; by default single rows, whose
            distance looks at the whole conditional fit, see ``results.cooks_distance``.
        ax : Axes, optional

        Returns
        -------
        Axes
            The line at 4 / n, n the number of deletions, is a guide, not a test.
        """
        from mixedsparse.plotting.influence import draw_distances

        return draw_distances(self._results.cooks_distance(group), group, ax)

    def scaled_residuals(
        self,
        residuals: ScaledResiduals | None = None,
        against: str | None = None,
        *,
        nsim: int = 250,
        seed: int | None = None,
        random: Redraw = "redraw",
        level: float = 0.95,
        ax: AxesOption = None,
    ) -> np.ndarray:
        """Residuals by simulation: their quantiles against uniform ones, and along fitted values (as in DHARMa).

        Parameters
        ----------
        residuals : ScaledResiduals, optional
            What ``results.scaled_residuals()`` returned; computed if not given.
        against : str, optional
            Column that the formula uses, in place of fitted values (of the population where random effects are drawn
            anew): ranks of numbers, boxes for a factor.
        nsim, seed, random
            See ``results.scaled_residuals``.
        level : float
            Of the band, pointwise for independent rows.
        ax : array of two Axes, optional

        Returns
        -------
        array of two Axes
            The title of the first has the p-value of the test of uniformity, which allows for dependent rows. Quartiles
            of neighbouring rows should be near the dotted lines; squares are rows beyond all simulated ones.
        """
        from mixedsparse.plotting.residuals import against_column
        from mixedsparse.plotting.simulated import draw_scaled

        if residuals is None:
            residuals = self._results.scaled_residuals(nsim, seed, random)
        if against is None:
            x, along = self._along("conditional" if residuals.random == "conditional" else "population")
        else:
            x, along = against_column(self._results._fitted, against), against
        return draw_scaled(residuals.table, residuals.tests, x, along, level, ax)

    def check_model(self, *, nsim: int = 20, seed: int | None = None, ax: AxesOption = None) -> np.ndarray:
        """All that one looks at to judge a fit, on one page, each panel with what it should look like.

        Parameters
        ----------
        nsim : int
            Simulated responses beside the data.
        seed : int, optional
            Of these, and of quantile residuals.
        ax : array of Axes, optional

        Returns
        -------
        array of Axes
            Simulated and observed responses, residuals, influence, collinearity, and the modes of at most six random
            effects. A panel that the fit has no numbers for says why.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> [panel.get_title("left") for panel in fit.plot.check_model(seed=1)][:3]
        ['Simulated responses', 'Linearity', 'Equal variances']
        """
        from mixedsparse.plotting.page import Part, draw_inflation, draw_page

        results = self._results
        results._fitted.needs_optimum("A page of checks")
        parts = [
            Part(
                "Simulated responses",
                "Grey draws should look like the data",
                lambda ax: self._predictive(nsim, seed, ax),
            ),
            *self._residual_parts,
            Part("Influential rows", "No row should stand out", lambda ax: self.influence(ax=ax)),
        ]
        if len(results._fitted.x_names) > 2:
            hint = "Points should be left of the lines at 5 and 10"
            parts.append(Part("Collinearity", hint, lambda ax: draw_inflation(results.vif(), ax)))
        return draw_page([*parts, *self._mode_parts()], ax)

    def _predictive(self, nsim: int, seed: int | None, ax: Any) -> None:
        from mixedsparse.plotting.simulated import draw_predictive

        fitted = self._results._fitted
        fitted.needs("rows", "Simulated responses beside the data")
        draws = self._results.simulate(nsim, seed).to_numpy(dtype=float)
        draw_predictive(ax, self._responses(), draws / self._trials, fitted.design.response)

    @property
    def _trials(self) -> Any:
        """What simulated responses are divided by."""
        return 1.0

    def _mode_parts(self) -> list[Part]:
        from mixedsparse.plotting.modes import random_qq
        from mixedsparse.plotting.page import Part

        fitted = self._results._fitted
        effects = [(group, name) for group in fitted.ngroups for name in dict.fromkeys(fitted.effects_of(group))]

        def drawn(group: str, name: str) -> Any:
            return lambda ax: random_qq(fitted, group, name, 0.95, "prediction", ax)

        hint = "Points should be near the line"
        return [Part(f"{name} | {group}", hint, drawn(group, name)) for group, name in effects[:_MOST_EFFECTS]]
