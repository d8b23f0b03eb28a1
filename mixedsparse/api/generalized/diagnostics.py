"""Diagnostics of `GeneralizedResults`: leverage, influence, residuals by simulation; the matrices of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Redraw

if TYPE_CHECKING:
    from mixedsparse.diagnostics.influence import Influence
    from mixedsparse.diagnostics.scaled import ScaledResiduals
    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.ground.progress import CountOption

__all__ = ["DiagnosticsMixin"]


class DiagnosticsMixin(ResultsBase):
    """Diagnostics of `GeneralizedResults`."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def leverage(self) -> pd.Series:
        """Leverage of each row: the diagonal of the hat matrix of the last weighted least squares problem.

        Returns
        -------
        Series, index of the data
            w (v + x'(X'V_0^-1 X)^-1 x) with w the row's information on its linear predictor, v its variance given the
            responses, x what the random effects leave of the row of X. The sum is the number of effective parameters,
            fixed and random, at known covariances.

        Notes
        -----
        lme4's ``hatvalues`` of a glmer fit leave the weights of the last step out, and may exceed 1.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> float(fit.leverage().sum().round(2))
        13.29
        """
        from mixedsparse.diagnostics.generalized_influence import generalized_leverage

        return generalized_leverage(self._fitted)

    def cooks_distance(self, group: Any = None) -> pd.Series:
        """Cook's distance of each row from its leverage, or of each level of a grouping factor.

        Parameters
        ----------
        group : str or array, optional
            As in `influence`, whose distances it then returns.

        Returns
        -------
        Series
            For rows, e^2 h / ((1 - h)^2 p), h the leverage and e Pearson's residual: an approximation without refits.
        """
        from mixedsparse.diagnostics.generalized_influence import generalized_cooks_distance

        return generalized_cooks_distance(self._fitted) if group is None else self.influence(group).cooks_distance

    def dfbetas(self, group: Any = None) -> pd.DataFrame:
        """Scaled changes of the fixed effects when a row, or a level, is deleted: ``influence(group).dfbetas``."""
        return self.influence(group).dfbetas

    def influence(self, group: Any = None, progress: CountOption = None) -> Influence:
        """Delete each row, or all rows of each level of a grouping factor, and see what changes.

        Parameters
        ----------
        group : str or array (n,), optional
            Grouping factor whose levels are deleted in turn, or a label per fitted row; single rows by default.
        progress : bool or callable, optional
            True shows a bar with the time left; a callable gets (done, total).

        Returns
        -------
        Influence
            ``.table``, ``.cooks_distance``, ``.dfbetas``, ``.params``, ``.parameters``: estimates of all parameters
            from the other rows, each by a few Newton steps from the optimum. Single rows cost as many fits.

        Warns
        -----
        ConvergenceWarning
            There are no estimates without some of the rows.
        DroppedColumnsWarning
            Only the deleted rows identify a coefficient.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.influence("herd").cooks_distance.idxmax()
        '11'
        """
        from mixedsparse.diagnostics.generalized_influence import generalized_influence

        return generalized_influence(self._fitted, group, progress)

    def scaled_residuals(self, nsim: int = 250, seed: int | None = None, random: Redraw = "redraw") -> ScaledResiduals:
        """Quantiles of the responses among simulated ones, and tests of them (R's DHARMa).

        Parameters
        ----------
        nsim : int
            Number of responses that are simulated from the fit.
        seed : int, optional
            The same seed gives the same residuals.
        random : {"redraw", "conditional"}
            Whether random effects are drawn anew for each response, or kept at their modes.

        Returns
        -------
        ScaledResiduals
            ``.table`` (``residual`` is uniform on 0 to 1 if the model holds), ``.tests``: uniformity, outliers,
            ``dispersion`` (mean squared distance from the mean of the simulated responses in their standard
            deviations) and, of counts, ``zeros``. ``p`` is from the same statistic of the simulated responses.

        Notes
        -----
        Whole numbers are spread at random over the unit around them (Dunn & Smyth 1996). Parameters are not estimated
        anew for each simulated response, so that ``p`` is on the safe side.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", ms.datasets.load("grouseticks"), "poisson")
        >>> fit.scaled_residuals(seed=1).tests.index.tolist()
        ['uniformity', 'outliers', 'dispersion', 'zeros']
        """
        from mixedsparse.diagnostics.generalized_scaled import generalized_scaled_residuals

        return generalized_scaled_residuals(self._fitted, nsim, seed, random)
