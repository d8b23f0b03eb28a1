"""Fits for the Python package maketables, by its plug-in protocol; the package itself is not needed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixedsparse.report.maketables import MaketablesAnswers

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["ModelMixedsparse"]


class ModelMixedsparse(MaketablesAnswers):
    """A fit with all that maketables asks for: ``ETable([ModelMixedsparse(fit)])``.

    `MixedResults` itself answers the same questions, but maketables 0.2 takes it for a fit of statsmodels, whose names
    it shares: it shows the coefficients and their tests, and nothing of the random effects.

    Parameters
    ----------
    results : MixedResults
    ddf : {"satterthwaite", "kenward-roger", "normal"}
        Degrees of freedom of tests and intervals.

    Notes
    -----
    Tokens of ``coef_fmt``: ``b, se, t, p, ci95l, ci95u, df``, and ``sd_<factor>`` for the standard deviation of the
    random effects of the same name. Keys of ``model_stats``: ``N, ll, aic, bic, criterion, sigma, r2m, r2c, icc,
    method``, and ``n_<factor>`` for the number of levels.

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

    def __init__(self, results: MixedResults, ddf: str = "satterthwaite") -> None:
        super().__init__(results._fitted, ddf)
