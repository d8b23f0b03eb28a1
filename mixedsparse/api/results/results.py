"""`MixedResults`: what a fit gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mixedsparse.api.results.covariance import CovarianceMixin
from mixedsparse.api.results.criteria import CriteriaMixin
from mixedsparse.api.results.diagnostics import DiagnosticsMixin
from mixedsparse.api.results.effects import EffectsMixin
from mixedsparse.api.results.estimates import EstimatesMixin
from mixedsparse.api.results.fitted import FittedMixin
from mixedsparse.api.results.indices import IndicesMixin
from mixedsparse.api.results.intervals import IntervalsMixin
from mixedsparse.api.results.means import MeansMixin
from mixedsparse.api.results.outcome import OutcomeMixin
from mixedsparse.api.results.paper import PaperMixin
from mixedsparse.api.results.plots import PlotsMixin
from mixedsparse.api.results.prediction import PredictionMixin
from mixedsparse.api.results.resampling import ResamplingMixin
from mixedsparse.api.results.saving import SavingMixin
from mixedsparse.api.results.shared import SharedMixin
from mixedsparse.api.results.solver import SolverMixin
from mixedsparse.api.results.streaming import StreamingMixin
from mixedsparse.api.results.tables import TablesMixin
from mixedsparse.api.results.testing import TestingMixin
from mixedsparse.api.results.updating import UpdatingMixin
from mixedsparse.ground.choices import Ddf

if TYPE_CHECKING:
    from mixedsparse.core.fitting.estimates import Fit
    from mixedsparse.fitted.model import Model
    from mixedsparse.report import Summary

__all__ = ["MixedResults"]

# Characters of the formula that a repr shows.
_LONG = 80


@dataclass(frozen=True, eq=False, repr=False)
class MixedResults(
    EstimatesMixin,
    CovarianceMixin,
    EffectsMixin,
    CriteriaMixin,
    DiagnosticsMixin,
    FittedMixin,
    OutcomeMixin,
    SolverMixin,
    MeansMixin,
    IndicesMixin,
    IntervalsMixin,
    PaperMixin,
    PlotsMixin,
    PredictionMixin,
    StreamingMixin,
    ResamplingMixin,
    SavingMixin,
    SharedMixin,
    TablesMixin,
    TestingMixin,
    UpdatingMixin,
):
    """Results of a fit: immutable, and made by `LinearMixedModel.fit` or `lmer` only.

    Names follow statsmodels, values follow lme4. Tables are made when first asked for; what is handed out can be
    changed without changing the results.

    Attributes
    ----------
    model : LinearMixedModel
        That was fitted; fitting does not change it.
    fit : mixedsparse.core.fitting.estimates.Fit
        The optimum as arrays.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    <MixedResults: Reaction ~ Days + (Days | Subject), REML, 180 observations, converged>
    """

    model: Model
    fit: Fit

    def summary(self, ddf: Ddf = "satterthwaite") -> Summary:
        """Summary of the fit, as text and as HTML.

        Parameters
        ----------
        ddf : {"satterthwaite", "kenward-roger", "normal"}
            Degrees of freedom of the tests of fixed effects; see `coef_table`.

        Returns
        -------
        Summary
            ``str()`` is the text, ``_repr_html_()`` the HTML, ``.tables`` the numbers as DataFrames.
        """
        from mixedsparse.report import summarize

        return summarize(self._fitted, ddf=ddf)

    def __repr__(self) -> str:
        formula = self.formula if len(self.formula) <= _LONG else f"{self.formula[: _LONG - 3]}..."
        return f"<MixedResults: {formula}, {self.method}, {self.nobs} observations, {self.certificate.verdict}>"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def __reduce__(self) -> tuple[type, tuple[Model, Fit]]:
        # Tables are cheap to make again, and pickles stay readable when their form changes.
        return type(self), (self.model, self.fit)
