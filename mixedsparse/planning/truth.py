"""Parameters that somebody thinks of, under the names that results have for estimates."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mixedsparse.api.results.covariance import CovarianceMixin
from mixedsparse.api.results.variances import VariancesMixin
from mixedsparse.fitted.model import Model
from mixedsparse.fitted.parameters import Hypothesis
from mixedsparse.inference.labels import per_coefficient

__all__ = ["Truth"]


class Truth(CovarianceMixin, VariancesMixin):
    """A model with hypothesised parameters. Nothing was observed: there are no standard errors, modes or residuals.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> rows = ms.design(subjects=20, within={"A": ["a1", "a2"]}, repeats=4)
    >>> study = ms.plan(rows, "y ~ A + (1 | subject)", {"A[T.a2]": 0.5}, random={"subject": 1.0}, sigma=2.0)
    >>> study.truth.params.to_dict()
    {'Intercept': 0.0, 'A[T.a2]': 0.5}
    >>> study.truth.varcorr()["sdcor"].tolist()
    [1.0, 2.0]
    """

    def __init__(self, hypothesis: Hypothesis) -> None:
        self._fitted: Hypothesis = hypothesis  # type: ignore[assignment]

    @property
    def model(self) -> Model:  # type: ignore[override]
        """Model of the design; the numbers of its response mean nothing."""
        return self._fitted.model

    @property
    def formula(self) -> str:
        """Formula of the model."""
        return self._fitted.model.formula

    @property
    def reml(self) -> bool:
        """Whether responses will be fitted by restricted maximum likelihood."""
        return self._fitted.reml

    @property
    def params(self) -> pd.Series:
        """Coefficients beta of the fixed effects; columns that depend on earlier ones are left out."""
        return per_coefficient(self._fitted, self._fitted.beta, "params").copy()

    def fixef(self) -> pd.Series:
        """Return `params` under lme4's name."""
        return self.params

    @property
    def dropped_columns(self) -> list[str]:
        """Columns of X left out because they are linear combinations of earlier ones, in formula order."""
        return list(self._fitted.dropped_columns)

    @property
    def nobs(self) -> int:
        """Number of rows."""
        return self._fitted.nobs

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return self._fitted.ngroups

    def marginal_cov(self, rows: Any) -> pd.DataFrame:
        """Covariance of y that the model implies for the chosen rows; see `MixedResults.marginal_cov`."""
        from mixedsparse.inference.implied import marginal_cov

        return marginal_cov(self._fitted, rows)

    def simulate(self, nsim: int = 1, seed: int | None = None) -> pd.DataFrame:
        """Draw responses (rows, nsim), random effects anew for each; see `MixedResults.simulate`."""
        from mixedsparse.prediction.simulate import simulate

        return simulate(self._fitted, nsim, seed)

    def __repr__(self) -> str:
        """Show formula and parameters."""
        return f"<Truth: {self.formula}, {self.nobs} rows>"
