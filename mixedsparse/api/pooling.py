"""Multiple imputation: fits to completed data in one table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mixedsparse.api.results.base import ResultsBase
from mixedsparse.ground.checks import check_level, is_number
from mixedsparse.ground.choices import Ddf
from mixedsparse.ground.errors import ArgumentTypeError, OptionError
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.inference.denominators import check_ddf

if TYPE_CHECKING:
    from mixedsparse.api.generalized import GeneralizedResults
    from mixedsparse.api.results import MixedResults
    from mixedsparse.inference.pooling import Pooled

__all__ = ["pool"]


@explains_arguments
def pool(
    fits: Iterable[MixedResults | GeneralizedResults],
    *,
    ddf: Ddf = "satterthwaite",
    dfcom: float | None = None,
    level: float = 0.95,
) -> Pooled:
    """Pool fits of one model to several completions of incomplete data by Rubin's rules.

    Parameters
    ----------
    fits : sequence of results
        At least two, as from ``[ms.lmer(formula, data) for data in completions]``.
    ddf : {"satterthwaite", "kenward-roger", "normal"}
        Degrees of freedom of each coefficient in each fit, whose mean is that of the complete data; normal in
        generalized models.
    dfcom : float, optional
        Degrees of freedom of the complete data for all coefficients, in place of these. R's mice takes the residual
        ones, ``fit.df_resid``, which are too many for coefficients that vary between levels only.
    level : float
        Of the intervals.

    Returns
    -------
    Pooled
        ``.table`` has estimates, standard errors, Barnard and Rubin's degrees of freedom, tests, intervals, and the
        fraction of missing information; ``.varcorr`` the mean of standard deviations and correlations.

    Raises
    ------
    OptionError
        There are fewer than two fits.
    DataError
        The fits are of different models.

    Examples
    --------
    >>> import numpy as np, mixedsparse as ms
    >>> data, rng = ms.datasets.load("sleepstudy"), np.random.default_rng(1)
    >>> completions = [data.assign(Days=data["Days"] + rng.normal(0, 1, len(data))) for _ in range(5)]
    >>> pooled = ms.pool([ms.lmer("Reaction ~ Days + (1 | Subject)", completed) for completed in completions])
    >>> pooled.table[["Estimate", "SE", "df"]].round(2)
               Estimate    SE      df
    Intercept    255.92   9.84   20.54
    Days           9.58   0.82  147.52
    """
    from mixedsparse.inference.pooling import pool_fits

    check_level(level)
    check_ddf(ddf)
    fits = list(fits)
    for fit in fits:
        if not isinstance(fit, ResultsBase):
            raise ArgumentTypeError(f"fits must be results, as lmer returns them, not {type(fit).__name__}.")
    if len(fits) < 2:
        raise OptionError(f"There {'is 1 fit' if fits else 'are 0 fits'} to pool; give at least two.")
    if dfcom is not None and not (is_number(dfcom) and dfcom > 0):
        raise OptionError(f"dfcom={dfcom!r} must be a positive number, such as fit.df_resid.")
    fitted = [fit._fitted for fit in fits]
    return pool_fits(fitted, ddf if fitted[0].has_residual else "normal", dfcom, level)
