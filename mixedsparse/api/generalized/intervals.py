"""Confidence intervals of `GeneralizedResults`, and the profiles and replicates that they rest on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import BootstrapLimits, Ddf, IntervalMethod

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.ground.progress import CountOption
    from mixedsparse.inference.profile import Profile

__all__ = ["IntervalsMixin"]


class IntervalsMixin(ResultsBase):
    """Interval side of `GeneralizedResults`."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def conf_int(
        self,
        alpha: float = 0.05,
        method: IntervalMethod = "wald",
        which: str | Iterable[str] = "fixed",
        *,
        ddf: Ddf | None = None,
        nsim: int = 1000,
        seed: int | None = None,
        n_jobs: int = 1,
        kind: BootstrapLimits = "perc",
        progress: CountOption = None,
    ) -> pd.DataFrame:
        """Confidence intervals of coefficients, standard deviations, correlations and the dispersion.

        Parameters
        ----------
        alpha : float
            1 - confidence level.
        method : {"wald", "profile", "boot"}
            ``"wald"``: from the joint covariance of all estimates; standard deviations and dispersions have their
            limits on the log scale, correlations on Fisher's z; NaN on the boundary. ``"profile"``: see `profile`; its
            limits of a standard deviation reach 0. ``"boot"``: parametric, see `bootstrap`.
        which : {"fixed", "random", "all"} or name or sequence of these
            Coefficients by default; ``"random"`` means standard deviations, correlations and the dispersion.
        ddf : {"normal"}, optional
        nsim, seed, n_jobs, kind, progress
            See `bootstrap`, `profile` and `Bootstrap.conf_int`.

        Returns
        -------
        DataFrame
            Columns ``lower``, ``upper``, rows as in `MixedResults.conf_int`, ``dispersion`` in place of ``sigma``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.conf_int(which="all").round(2)
                            lower  upper
        Intercept           -1.85  -0.94
        period[T.2]         -1.59  -0.39
        period[T.3]         -1.77  -0.49
        period[T.4]         -2.42  -0.74
        sd(Intercept|herd)   0.37   1.11
        """
        from mixedsparse.inference.generalized.intervals import generalized_conf_int

        return generalized_conf_int(
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
        """Profile the likelihood: each parameter held at a series of values, all others optimised anew.

        Parameters
        ----------
        which : {"all", "fixed", "random"} or name or sequence of these
            Parameters as in `conf_int`.
        level, progress
            See `MixedResults.profile`.
        n_jobs : int
            Number of workers, by joblib, that take the parameters one by one; 1 for none.

        Returns
        -------
        Profile
            ``.table`` (parameter, value, zeta, then all parameters there), ``.conf_int(level)``, ``.plot(kind)``.

        Warns
        -----
        ConvergenceWarning
            A profile could not be followed to the end, or met a deviance below that of the fit.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.profile("sd(Intercept|herd)").conf_int(0.95).round(2)
                            lower  upper
        sd(Intercept|herd)   0.35    1.1
        """
        from mixedsparse.inference.generalized.profile import generalized_profile

        return generalized_profile(self._fitted, which, level=level, n_jobs=n_jobs, progress=progress)
