"""Diagnostics: residuals, leverage, influence, collinearity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import Redraw, Residual, Reused

if TYPE_CHECKING:
    from mixedsparse.diagnostics.influence import Influence
    from mixedsparse.diagnostics.scaled import ScaledResiduals
    from mixedsparse.ground.progress import CountOption

__all__ = ["DiagnosticsMixin"]


class DiagnosticsMixin(ResultsBase):
    """Diagnostics of `MixedResults`."""

    def residuals(self, kind: Residual = "response") -> pd.Series:
        """Residuals of one kind.

        Parameters
        ----------
        kind : str
            ``"response"``, or ``"conditional"``: y - X beta - Z b, in units of y, as `resid`.
            ``"marginal"``: y - X beta, in units of y; dependent within levels.
            ``"pearson"``: response residuals times the root of the weights.
            ``"scaled"``: Pearson residuals over sigma, as `resid_scaled`.
            ``"normalized"``: scaled residuals, uncorrelated by the residual covariance of ``residual=``: in the order
            of a group each less what those before tell of it. The scaled ones in other models.
            ``"standardized"``: scaled residuals over sqrt(1 - leverage), of variance 1 under the model (lme4's
            ``rstudent``); with ``residual=`` over the standard deviations that they have by the model.
            ``"studentized"``: the same with sigma estimated without the row, at the same relative covariances.

        Returns
        -------
        Series, index of the data
            NaN for a standardized residual of a row with leverage 1.

        Raises
        ------
        OptionError
            `kind` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.residuals("standardized").head(3).round(3).tolist()
        [-0.183, -0.627, -1.764]
        """
        from mixedsparse.diagnostics.residuals import residuals

        return residuals(self._fitted, kind)

    def leverage(self) -> pd.Series:
        """Leverage of each row: the diagonal of the hat matrix of the conditional fit (lme4: ``hatvalues``).

        Returns
        -------
        Series, index of the data
            d fittedvalues_i / d y_i at known relative covariances, between 0 and 1; the sum is the number of effective
            parameters, fixed and random.

        Notes
        -----
        H = I - P_0 with P_0 as in `caic`'s references; a row costs a few products with blocks of the inverse that
        belong to its levels, and no n x n matrix is made. With ``residual=`` H is I - R P_0, R the relative covariance
        of the residuals: a row is fitted by the mean and the modes, and its leverage may lie outside of 0 and 1.

        References
        ----------
        Demidenko & Stukel (2005), Statistics in Medicine 24, 893-909.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.leverage().head(3).round(4).tolist()
        [0.2293, 0.1697, 0.1268]
        """
        from mixedsparse.diagnostics.leverage import leverage

        return leverage(self._fitted)

    def cooks_distance(self, group: Any = None) -> pd.Series:
        """Cook's distance of each row, or of each level of a grouping factor.

        Parameters
        ----------
        group : str or array, optional
            As in `influence`, whose distances it then returns.

        Returns
        -------
        Series
            For rows, e^2 h / ((1 - h)^2 sigma^2 p), h the leverage and e the Pearson residual: the definition of lme4's
            ``cooks.distance``, which looks at the whole conditional fit. For the fixed effects only, see
            ``influence().cooks_distance``, which is the one that there is with ``residual=``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.cooks_distance("Subject").nlargest(2).round(3).to_dict()
        {'309': 0.149, '335': 0.129}
        """
        from mixedsparse.diagnostics.leverage import cooks_distance

        return cooks_distance(self._fitted) if group is None else self.influence(group).cooks_distance

    def dfbetas(self, group: Any = None) -> pd.DataFrame:
        """Scaled changes of the fixed effects when a row, or a level, is deleted: ``influence(group).dfbetas``."""
        return self.influence(group).dfbetas

    def influence(self, group: Any = None, theta: Reused | None = None, progress: CountOption = None) -> Influence:
        """Delete each row, or all rows of each level of a grouping factor, and see what changes.

        Parameters
        ----------
        group : str or array (n,), optional
            Grouping factor whose levels are deleted in turn, or a label per fitted row; single rows by default.
        theta : {"refit", "fixed"}, optional
            Whether relative covariance parameters are estimated anew for each deletion, or kept (sigma is always
            estimated). By default ``"refit"`` for groups and ``"fixed"`` for single rows, which has a closed form.
        progress : bool or callable, optional
            True shows a bar with the time left; a callable gets (done, total). See `bootstrap`.

        Returns
        -------
        Influence
            ``.table``, ``.cooks_distance``, ``.dfbetas``, ``.params``, ``.parameters``.

        Raises
        ------
        OptionError
            `group` is not a grouping factor, or `theta` is not known.
        DataError
            The labels do not fit the rows.

        Warns
        -----
        ConvergenceWarning
            There are no estimates without some of the rows.
        DroppedColumnsWarning
            Only the deleted rows identify a coefficient.

        Notes
        -----
        A group's rows are subtracted from the cross-products, and Newton's method starts at the optimum of all data:
        the estimates are those of a fit to the other rows. DFBETAS are estimates with the rows less those without, over
        the standard error without; lme4's ``dfbetas`` has the opposite sign. With ``theta="refit"`` every row or level
        costs a few evaluations of the criterion. Parameters of ``residual=`` and ``dispersion=`` are kept or estimated
        anew with the others.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> without = fit.influence("Subject")
        >>> without.params.loc["308"].round(3).to_dict()
        {'Intercept': 251.829, 'Days': 9.803}
        """
        from mixedsparse.diagnostics.influence import influence

        return influence(self._fitted, group, theta, progress)

    def scaled_residuals(
        self,
        nsim: int = 250,
        seed: int | None = None,
        random: Redraw = "redraw",
        *,
        refit: bool = False,
        n_jobs: int = 1,
        progress: CountOption = None,
    ) -> ScaledResiduals:
        """Quantiles of the residuals among those of simulated responses, and tests of them (R's DHARMa).

        Parameters
        ----------
        nsim : int
            Number of responses that are simulated from the fit.
        seed : int, optional
            The same seed gives the same residuals.
        random : {"redraw", "conditional"}
            ``"redraw"``: marginal residuals, random effects drawn anew: random effects and errors are judged together.
            ``"conditional"``: residuals given the modes of the random effects: the errors are judged. Coefficients and
            modes are estimated for each simulated response too, at the covariances of the fit.
        refit : bool
            Fit the whole model to each simulated response, covariances and sigma too, and compare residuals over the
            standard deviations of their own fit. It costs a fit each, and uniformity is tested at its level.
        n_jobs, progress
            Of the refits; see `bootstrap`.

        Returns
        -------
        ScaledResiduals
            ``.table`` (``residual`` is uniform on 0 to 1 if the model holds), ``.tests`` (uniformity, outliers).

        Raises
        ------
        OptionError
            An argument has a value that is not known.
        BackendError
            There is not enough memory for n times `nsim` numbers.

        Warns
        -----
        ConvergenceWarning
            Some simulated responses could not be fitted: they are left out.

        Notes
        -----
        A scaled residual is (simulated ones below + u) / (nsim + 1) with u uniform, which makes it uniform however few
        simulations there are; DHARMa leaves u out. With redrawn random effects the residuals of a level are dependent:
        column ``p`` of the tests allows for that, ``p_independent`` does not. Without `refit` covariances are not
        estimated for each simulated response, so that ``p`` is on the safe side: uniformity is rejected in 2 to 3 % of
        true models at the 5 % level. Errors are drawn with the covariance of ``residual=`` and ``dispersion=``. There
        is no test of the dispersion: the variances of a Gaussian model are fitted to it, so that it could never reject.

        References
        ----------
        Dunn & Smyth (1996), Journal of Computational and Graphical Statistics 5, 236-244; Hartig, R package DHARMa.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.scaled_residuals(seed=1).tests.index.tolist()
        ['uniformity', 'outliers']
        """
        from mixedsparse.diagnostics.scaled import scaled_residuals

        return scaled_residuals(self._fitted, nsim, seed, random, refit=refit, n_jobs=n_jobs, progress=progress)
