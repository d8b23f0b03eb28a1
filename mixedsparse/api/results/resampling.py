"""The bootstrap, and fits to other responses."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import BootstrapKind

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.ground.progress import CountOption
    from mixedsparse.inference.bootstrap import Bootstrap

__all__ = ["ResamplingMixin"]


class ResamplingMixin(ResultsBase):
    """Replicates of `MixedResults`."""

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
