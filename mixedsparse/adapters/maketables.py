"""Fits for the Python package maketables, by its plug-in protocol; the package itself is not needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedsparse.api.generalized import GeneralizedResults
from mixedsparse.api.results.maketables import MaketablesMixin
from mixedsparse.ground.errors import OptionError
from mixedsparse.report.maketables import GeneralizedAnswers, MaketablesAnswers

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["ModelMixedsparse"]


class ModelMixedsparse(MaketablesMixin):
    """A fit with all that maketables asks for: ``ETable([ModelMixedsparse(fit)])``.

    `MixedResults` itself answers the same questions, but maketables 0.2 takes it for a fit of statsmodels, whose names
    it shares: it shows the coefficients and their tests, and nothing of the random effects.

    Parameters
    ----------
    results : MixedResults or GeneralizedResults
    ddf : {"satterthwaite", "kenward-roger", "normal"}, optional
        Degrees of freedom of tests and intervals, ``"satterthwaite"`` by default; a generalized fit has normal ones
        only.

    Notes
    -----
    Tokens of ``coef_fmt``: ``b, se, t, p, ci95l, ci95u, df``, and ``sd_<factor>`` for the standard deviation of the
    random effects of the same name. Keys of ``model_stats``: ``N, ll, aic, bic, criterion, sigma, r2m, r2c, icc,
    method``, and ``n_<factor>`` for the number of levels. A generalized fit has ``ratio, ratio95l, ratio95u`` where the
    exponential of a coefficient has a meaning, ``family``, no ``sigma``, and ``r2m, r2c, icc`` on the scale of the
    linear predictor.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> from mixedsparse.adapters.maketables import ModelMixedsparse
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> ModelMixedsparse(fit).__maketables_coef_table__[["b", "se", "sd_Subject"]].round(2)
                      b    se  sd_Subject
    Coefficient
    Intercept    251.41  6.82       24.74
    Days          10.47  1.55        5.92
    """

    def __init__(self, results: MixedResults | GeneralizedResults, ddf: str | None = None) -> None:
        if not isinstance(results, GeneralizedResults):
            self._answers = MaketablesAnswers(results._fitted, ddf or "satterthwaite")
        elif ddf in (None, "normal"):
            self._answers = GeneralizedAnswers(results._fitted)
        else:
            raise OptionError(f"ddf={ddf!r}: tests of a generalized fit are normal; leave ddf= out.")

    def _for_maketables(self) -> MaketablesAnswers:
        return self._answers
