"""Confidence intervals, likelihood profiles, the bootstrap, and refits that they rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import BootstrapKind, BootstrapLimits, Ddf, IntervalMethod

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.ground.progress import CountOption
    from mixedsparse.inference.bootstrap import Bootstrap
    from mixedsparse.inference.profile import Profile

__all__ = ["IntervalsMixin"]


class IntervalsMixin(ResultsBase):
    """Interval side of `MixedResults`."""

    def conf_int(
        self,
        alpha: float = 0.05,
        method: IntervalMethod = "wald",
        which: str | Iterable[str] = "fixed",
        *,
        ddf: Ddf | None = None,
        information: str | None = None,
        nsim: int = 1000,
        seed: int | None = None,
        n_jobs: int = 1,
        kind: BootstrapLimits = "perc",
        progress: CountOption = None,
    ) -> pd.DataFrame:
        """Confidence intervals.

        Parameters
        ----------
        alpha : float
            1 - confidence level.
        method : {"wald", "profile", "boot"}
            ``"wald"``: estimate -+ quantile of t times standard error; see `ddf`. Standard deviations have theirs
            on the log scale and correlations on Fisher's z, from the Hessian of the criterion that was fitted (lme4
            gives NA); NaN on the boundary. ``"profile"``: see `profile`; its limits of a standard deviation reach 0.
            ``"boot"``: parametric, see `bootstrap` and, on a variance of 0, `Bootstrap.conf_int`.
        which : {"fixed", "random", "all"} or name or sequence of these
            Coefficients by default; ``"random"`` means standard deviations, correlations and sigma.
        ddf : {"satterthwaite", "kenward-roger", "normal"}, optional
            Degrees of freedom of Wald intervals of coefficients: Satterthwaite's by default, as in `pvalues`, `tidy`,
            `emmeans` and `predict`. ``"normal"`` gives lme4's.
        information : {"expected", "observed"}, optional
            For Kenward-Roger; see `coef_table`.
        nsim, seed, n_jobs, kind, progress
            See `bootstrap`, `profile` and `Bootstrap.conf_int`.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``. Rows: coefficients by name; per random term ``sd(effect|group)``, then
            ``cor(effect,effect|group)``; ``sigma``.

        Raises
        ------
        OptionError
            `alpha`, `method`, `ddf` or a name in `which` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.conf_int().round(2)
                    lower   upper
        Intercept  237.01  265.80
        Days         7.21   13.73
        >>> fit.conf_int(method="profile", which="all").round(2)
                                      lower   upper
        Intercept                    237.68  265.13
        Days                           7.36   13.58
        sd(Intercept|Subject)         14.38   37.72
        sd(Days|Subject)               3.80    8.75
        cor(Intercept,Days|Subject)   -0.48    0.69
        sigma                         22.90   28.86
        """
        from mixedsparse.inference.denominators import with_information
        from mixedsparse.inference.intervals import conf_int

        if information is not None:
            ddf = with_information(ddf or "satterthwaite", information)
        return conf_int(
            self._fitted,
            alpha,
            method,
            which,
            ddf=ddf,
            nsim=nsim,
            seed=seed,
            n_jobs=n_jobs,
            kind=kind,
            progress=progress,
        )

    def profile(
        self,
        which: str | Iterable[str] = "all",
        *,
        level: float = 0.999,
        n_jobs: int = 1,
        progress: CountOption = None,
    ) -> Profile:
        """Profile the likelihood: each parameter held at a series of values, all others at their best.

        The deviance that is profiled is that of maximum likelihood, as in lme4: a REML fit is refitted by ML first, and
        `Profile.note` says so.

        Parameters
        ----------
        which : {"all", "fixed", "random"} or name or sequence of these
            Parameters as in `conf_int`.
        level : float
            Confidence level up to which the profiles reach; intervals can be had up to it.
        n_jobs : int
            1 follows all parameters in step; otherwise the number of workers, by joblib, that take them one by one: see
            `bootstrap`. Numbers agree to rounding.
        progress : bool or callable, optional
            True shows a bar with the time left (plain lines without tqdm), False nothing; by default a bar appears on
            a terminal or in a notebook after two seconds. A callable gets (directions finished, directions).

        Returns
        -------
        Profile
            ``.table`` (parameter, value, zeta, then all parameters there), ``.conf_int(level)``, ``.plot(kind)``.

        Warns
        -----
        ConvergenceWarning
            A profile could not be followed to the end, or met a deviance below that of the fit. Ctrl-C: profiles end
            where they are.

        Notes
        -----
        zeta = sign(value - estimate) sqrt(deviance - least deviance); limits are where zeta meets normal quantiles
        (Bates & Watts 1988, section 6.1). A limit of 0 for a standard deviation, or of -1 or 1 for a correlation, says
        that no value beyond is refused.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> fit.profile().conf_int(0.95).round(2)
                               lower    upper
        Intercept            1486.45  1568.55
        sd(Intercept|Batch)    12.20    84.06
        sigma                  38.23    67.66
        """
        from mixedsparse.inference.profile import profile

        return profile(self._fitted, which, level=level, n_jobs=n_jobs, progress=progress)

    def bootstrap(
        self,
        nsim: int = 1000,
        seed: int | None = None,
        *,
        n_jobs: int = 1,
        statistic: Callable[[Self], Any] | None = None,
        kind: BootstrapKind = "parametric",
        group: str | None = None,
        progress: CountOption = None,
    ) -> Bootstrap:
        """Bootstrap the estimates, and any function of the results.

        Parameters
        ----------
        nsim : int
            Number of replicates.
        seed : int, optional
            The same seed gives the same replicates for any `n_jobs`, and the first of a larger `nsim`.
        n_jobs : int
            Number of workers, by joblib; -1 means all cores. Inside ``joblib.parallel_config(backend="dask")`` the work
            is done by a dask cluster; numbers are the same.
        statistic : callable, optional
            Of a `MixedResults`; returns a number, an array, a dict or a Series, which become columns of the table.
        kind : {"parametric", "residual", "cases"}
            ``"parametric"``: random effects and errors are drawn from the normal distributions that were fitted.
            ``"residual"``: conditional modes and residuals are drawn with replacement, once reflated to the
            covariances that were fitted (Carpenter, Goldstein & Rasbash 2003). ``"cases"``: all rows of a level of a
            grouping factor are drawn together; each replicate has cross-products of its own: this takes longest.
        group : str, optional
            Factor whose levels ``kind="cases"`` draws; by default the one with most levels or, where that is nested
            in others, the coarsest of these.
        progress : bool or callable, optional
            True shows a bar with the time left (plain lines without tqdm), False nothing; by default a bar appears on
            a terminal or in a notebook after two seconds. A callable gets (replicates done, nsim).

        Returns
        -------
        Bootstrap
            ``.table`` (nsim x parameters), ``.failures``, ``.summary()``, ``.conf_int(level, kind)``, ``.plot()``.

        Warns
        -----
        ConvergenceWarning
            Replicates failed: they stay in the table as NaN, and `failures` says why. Ctrl-C: the table has the
            replicates that were done.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.bootstrap(200, seed=1)
        <Bootstrap: 200 parametric replicates, 0 failed, seed 1>
        """
        from mixedsparse.inference.bootstrap import bootstrap

        return bootstrap(
            self._fitted,
            nsim,
            seed,
            n_jobs=n_jobs,
            statistic=statistic,
            kind=kind,
            group=group,
            progress=progress,
            wrap=self._wrap,
        )

    def refit(self, y: Any = None, *, reml: bool | None = None) -> Self:
        """Fit the same model to another response, or by the other criterion; design and analysis are shared.

        Parameters
        ----------
        y : array or Series, optional
            One number per fitted row, in their order; a Series on the index of the data is put in that order, and rows
            that were left out for missing values are left out again. By default the response of the fit.
        reml : bool, optional
            Criterion, by default that of this fit.

        Returns
        -------
        MixedResults
            `model.design.y` is the new response.

        Raises
        ------
        DataError
            `y` does not match the fitted rows, is not numeric, not finite, or constant.

        Notes
        -----
        Only sums with y are new. The search starts from the moment estimates of the new response, as a first fit does,
        so that the result does not depend on the fit that it is asked of.

        Warns
        -----
        SingularFitWarning, ConvergenceWarning

        Examples
        --------
        >>> import numpy as np, mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (1 | Subject)", ms.datasets.load("sleepstudy"))
        >>> bool(np.isclose(fit.refit(fit.model.design.y).criterion, fit.criterion))
        True
        >>> round(fit.refit(reml=False).criterion, 3)
        1794.079
        """
        from mixedsparse.inference.responses import refit_criterion, refit_response

        found = self._fitted if y is None else refit_response(self._fitted, y, self._fitted.seed)
        return self._wrap(found if reml is None else refit_criterion(found, reml))
