"""Responses drawn from `GeneralizedResults`, and fits to other responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.api.results.base import ResultsBase

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.fitted.generalized import GeneralizedFitted
    from mixedsparse.ground.progress import CountOption
    from mixedsparse.inference.bootstrap import Bootstrap

__all__ = ["ResamplingMixin"]


class ResamplingMixin(ResultsBase):
    """Simulation side of `GeneralizedResults`."""

    _fitted: GeneralizedFitted  # type: ignore[assignment]

    def simulate(
        self,
        nsim: int = 1,
        seed: int | None = None,
        newdata: Any = None,
        random: str | Sequence[str] = "redraw",
        *,
        trials: Any = None,
        weights: Any = None,
        offset: Any = None,
    ) -> pd.DataFrame:
        """Draw responses from the model at its estimates.

        Parameters
        ----------
        nsim, seed, newdata, random, offset
            See `MixedResults.simulate`.
        trials : str, number or array, optional
            Numbers of trials of a binomial response: a column of `newdata`, one number, or one per row. Those of the
            fit by default; of new rows 1 where all rows of the fit have one.
        weights : str, number or array, optional
            Prior weights of gamma and inverse Gaussian responses; for binomial ones the trials.

        Returns
        -------
        DataFrame (r, nsim)
            On the index of the rows; columns 0, 1, ... Numbers of successes for a binomial response (0 and 1 of one
            trial), counts, or positive numbers. A row in which a variable is missing is NaN.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.simulate(1000, seed=1).shape
        (56, 1000)
        """
        from mixedsparse.prediction.generalized_draws import simulate_generalized

        return simulate_generalized(
            self._fitted, nsim, seed, newdata, random, trials=trials, weights=weights, offset=offset
        )

    def refit(self, y: Any) -> Self:
        """Fit the same model to another response: pattern and analysis are kept, the search starts at this optimum.

        Parameters
        ----------
        y : array, Series or DataFrame
            One value per fitted row, in their order or on the index of the data, in any form that the response of the
            formula may have: 0 and 1, truth values, two levels, proportions of the fit's trials, numbers of successes,
            two columns of successes and failures; counts; positive numbers. Where rows have several trials, nothing
            but 0 and 1 counts successes, as `simulate` returns them, unless it is the response of the fit itself.

        Returns
        -------
        GeneralizedResults
            By the same nAGQ.

        Raises
        ------
        DataError
            `y` does not match the fitted rows or trials, is none of the family, or is constant.

        Examples
        --------
        >>> import numpy as np, mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> again = fit.refit(ms.datasets.load("cbpp")["incidence"])
        >>> bool(np.isclose(again.criterion, fit.criterion))
        True
        """
        from mixedsparse.inference.generalized.responses import refit_generalized

        return self._wrap(refit_generalized(self._fitted, y))

    def bootstrap(
        self,
        nsim: int = 1000,
        seed: int | None = None,
        *,
        n_jobs: int = 1,
        statistic: Callable[[Self], Any] | None = None,
        progress: CountOption = None,
    ) -> Bootstrap:
        """Bootstrap distribution of all parameters, and of any function of the results: responses drawn from the fit.

        Parameters
        ----------
        nsim : int
            Number of replicates, each a fit to the response that `simulate` draws with the same seed.
        seed : int, optional
            The same seed gives the same replicates, whatever `n_jobs` is.
        n_jobs, statistic, progress
            See `MixedResults.bootstrap`; `statistic` takes `GeneralizedResults`.

        Returns
        -------
        Bootstrap
            ``.table`` (nsim x parameters), ``.failures``, ``.summary()``, ``.conf_int(level, kind)``, ``.plot()``.

        Warns
        -----
        ConvergenceWarning
            Replicates failed, say because their responses are separated: they stay in the table as NaN, and `failures`
            says why. Ctrl-C: the table has the replicates that were done.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", ms.datasets.load("cbpp"))
        >>> fit.bootstrap(20, seed=1)
        <Bootstrap: 20 parametric replicates, 0 failed, seed 1>
        """
        from mixedsparse.inference.generalized.bootstrap import generalized_bootstrap

        return generalized_bootstrap(
            self._fitted, nsim, seed, n_jobs=n_jobs, statistic=statistic, progress=progress, wrap=self._wrap
        )
