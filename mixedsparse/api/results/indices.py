"""One-number summaries of a fit: dimensions of the random effects, shares of variance, conditional AIC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.choices import CaicMethod

if TYPE_CHECKING:
    pass

__all__ = ["IndicesMixin"]


class IndicesMixin(ResultsBase):
    """Summaries of `MixedResults`, and the search for a parsimonious random part."""

    def icc(self, by_group: bool = False) -> pd.Series:
        """Intraclass correlation: the share of the random effects in the variance of y.

        Parameters
        ----------
        by_group : bool
            One share per grouping factor; they add up to the adjusted one.

        Returns
        -------
        Series
            ``adjusted``: random / (random + residual); ``unadjusted``: random / (fixed + random + residual). No units.

        Notes
        -----
        The variance of random effects is the mean over the rows of z' Sigma z, so that slopes count (Johnson 2014); the
        residual's is that of an observation of weight 1. performance 0.10 agrees where every slope is a fixed
        effect too, in the same coding; it leaves out other slopes, and all but one of the terms of ``||``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"))
        >>> fit.icc(by_group=True).round(3).to_dict()
        {'plate': 0.151, 'sample': 0.785}
        """
        from mixedsparse.inference.r2 import icc, variance_shares

        return icc(variance_shares(self._fitted), by_group)

    def r2(self) -> pd.Series:
        """Variance explained by the fixed effects, and by fixed and random effects together.

        Returns
        -------
        Series
            ``marginal``: fixed / (fixed + random + residual); ``conditional``: (fixed + random) over the same. The
            fixed variance is that of X beta over the rows; the others are as in `icc`.

        References
        ----------
        Nakagawa & Schielzeth (2013), Methods in Ecology and Evolution 4, 133-142; Johnson (2014), ibid. 5, 944-946.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.r2().round(4).to_dict()
        {'marginal': 0.2787, 'conditional': 0.7992}
        """
        from mixedsparse.inference.r2 import r2, variance_shares

        return r2(variance_shares(self._fitted))

    def caic(self, method: CaicMethod = "greven-kneib") -> pd.Series:
        """Conditional AIC: the criterion when the question is about these levels, not about new ones.

        Parameters
        ----------
        method : {"greven-kneib", "cAIC4", "vaida-blanchard"}
            Degrees of freedom: the trace of the hat matrix plus one for sigma, and with ``"greven-kneib"`` what the
            estimation of theta adds, which keeps a model with a variance at its boundary from being favoured.
            ``"cAIC4"`` gives the numbers of that R package, which halves a term of the correction (about 1 % of it).

        Returns
        -------
        Series
            ``caic`` = -2 loglik + 2 df; ``df``: the sum over the observations of d fitted / d y, plus one;
            ``loglik``: of y given the conditional modes.

        Notes
        -----
        The derivative of theta in y is exact (implicit differentiation of the criterion's gradient); memory is
        n times the number of parameters, never n x n.

        References
        ----------
        Vaida & Blanchard (2005), Biometrika 92, 351-370; Greven & Kneib (2010), Biometrika 97, 773-789.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> fit.caic().round(3).to_dict()
        {'caic': 327.049, 'df': 6.348, 'loglik': -157.177}
        """
        from mixedsparse.inference.caic import caic

        return caic(self._fitted, method)
