"""Confidence intervals and likelihood profiles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import BootstrapLimits, Ddf, IntervalMethod

if TYPE_CHECKING:
    from mixedsparse.ground.progress import CountOption
    from mixedsparse.inference.profile import Profile

__all__ = ["IntervalsMixin"]


class IntervalsMixin(ResultsBase):
    """Interval side of results of linear and of generalized models."""

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
            ``"boot"``: parametric, see `bootstrap` and, on a variance of 0, `Bootstrap.conf_int`. Wald intervals of a
            generalized model are normal, all from the joint covariance of the estimates; dispersions are on the log
            scale.
        which : {"fixed", "random", "all"} or name or sequence of these
            Coefficients by default; ``"random"`` means standard deviations, correlations and sigma, or the dispersion.
            ``method="profile"`` knows the names of `residual_params` too, which have their Wald limits.
        ddf : {"satterthwaite", "kenward-roger", "normal"}, optional
            Degrees of freedom of Wald intervals of coefficients: Satterthwaite's by default, as in `pvalues`, `tidy`,
            `emmeans` and `predict`. ``"normal"`` gives lme4's, and is all that a generalized model has.
        information : {"expected", "observed"}, optional
            For Kenward-Roger; see `coef_table`.
        nsim, seed, n_jobs, kind, progress
            See `bootstrap`, `profile` and `Bootstrap.conf_int`.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``. Rows: coefficients by name; per random term ``sd(effect|group)``, then
            ``cor(effect,effect|group)``; ``sigma``, or ``dispersion`` where a family has one that is estimated.

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
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.conf_int(which="all").round(2)
                            lower  upper
        Intercept           -1.85  -0.94
        period[T.2]         -1.59  -0.39
        period[T.3]         -1.77  -0.49
        period[T.4]         -2.42  -0.74
        sd(Intercept|herd)   0.37   1.11
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
        `Profile.note` says so. That of a generalized model is by the approximation of the fit.

        Parameters
        ----------
        which : {"all", "fixed", "random"} or name or sequence of these
            Parameters as in `conf_int`, and those of `residual_params`: profiles of structured terms and of residual
            covariances are of what users know, deviations, correlations, loadings and coefficients of the dispersion.
        level : float
            Confidence level up to which the profiles reach; intervals can be had up to it.
        n_jobs : int
            1 follows all parameters of a linear model in step; otherwise the number of workers, by joblib, that take
            them one by one: see `bootstrap`. Numbers agree to rounding.
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
        (Bates & Watts 1988, section 6.1). A limit of 0 for a standard deviation, or of -1 or 1 for a correlation (the
        least common one of k effects is -1 / (k - 1)), says that no value beyond is refused.

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
        from mixedsparse.inference.intervals import profile_of

        return profile_of(self._fitted)(which, level=level, n_jobs=n_jobs, progress=progress)
