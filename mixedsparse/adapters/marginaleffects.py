"""Fits for the Python package marginaleffects: predictions, comparisons and slopes at population level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl

try:
    from marginaleffects.classes import ModelAbstract, ModelVault
except ImportError as err:
    from mixedsparse.ground.errors import BackendError

    raise BackendError("This adapter needs marginaleffects >= 0.6: install mixedsparse[marginaleffects].") from err

from mixedsparse.api.generalized import GeneralizedResults
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.denominators import denominator
from mixedsparse.inference.grid import Predictor, encode, predictors

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["ModelMixedsparse"]

_COVARIANCES = ("satterthwaite", "kenward-roger", "normal")


class ModelMixedsparse(ModelAbstract):
    """A fit that the functions of marginaleffects take: ``avg_slopes(ModelMixedsparse(fit))``.

    Everything is about the population: random effects are left out, as statsmodels' ``MixedLM.predict`` and lme4's
    ``re.form = NA`` do. Factors of the formula become Enum columns in the order of their levels.

    Parameters
    ----------
    results : MixedResults or GeneralizedResults
        Fitted from a formula. Predictions of a generalized fit are means of the response at random effects of 0.
    df : float, optional
        Degrees of freedom of all tests and intervals; normal by default. marginaleffects has room for one number, so
        Satterthwaite's degrees of freedom per contrast are to be had from `MixedResults.emmeans` only.

    Raises
    ------
    DataError
        The model was made from arrays.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> from marginaleffects import avg_slopes
    >>> from mixedsparse.adapters.marginaleffects import ModelMixedsparse
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> avg_slopes(ModelMixedsparse(fit))["estimate"].round(3).to_list()
    [10.467]
    """

    def __init__(self, results: MixedResults | GeneralizedResults, df: float | None = None) -> None:
        known = predictors(results._fitted)
        # Set before the base class runs, which looks up unknown names in the fit: its df_resid is no basis for tests.
        self.df_resid = df
        self._predictors = list(known)
        super().__init__(
            results,
            ModelVault(
                coef=results.params.to_numpy(copy=True),
                coefnames=np.array(results.params.index, dtype=object),
                # For names only: the matrices come from `get_exog`.
                formula="~ " + (" + ".join(f"`{name}`" for name in known) or "1"),
                modeldata=_model_data(results, known),
                variable_names=[results.model.design.response, *known],
                package="mixedsparse",
            ),
        )

    def validation(self) -> None:
        """Set what the base class sets; its own look at the data fails on floats with polars 2."""
        self.coef, self.formula = self.vault.coef, self.vault.formula
        self.response_name = self.vault.variable_names[0]
        self.vault.variables_type = {name: _kind(column) for name, column in self.vault.modeldata.to_dict().items()}

    def get_exog(self, newdata: pl.DataFrame) -> np.ndarray:
        """Columns of X that were kept, (n, p), and the offset as a last column where the model has one."""
        columns = {name: newdata[name].to_list() for name in self._predictors}
        X, offset = encode(self.model._fitted, columns, newdata.height)
        X = X[:, self.model.model.problem.basis.kept]
        return X if self.model.model.design.offset is None else np.column_stack([X, offset])

    def get_predict(self, params: np.ndarray, newdata: np.ndarray | pl.DataFrame) -> pl.DataFrame:
        """Return the population means X params + offset of the rows of `get_exog`, or of a data frame."""
        matrix = self.get_exog(newdata) if isinstance(newdata, pl.DataFrame) else np.asarray(newdata)
        mean = matrix[:, : len(params)] @ params + matrix[:, len(params) :].sum(axis=1)
        if isinstance(self.model, GeneralizedResults):
            mean = self.model.family.mean(mean)
        return pl.DataFrame({"rowid": np.arange(len(mean), dtype=np.int32), "estimate": mean})

    def get_autodiff_args(self) -> dict[str, Any] | str:
        """Tell marginaleffects that predictions are X params, whose derivative it then has exactly."""
        if isinstance(self.model, GeneralizedResults):
            return "generalized mixed models"
        if self.model.model.design.offset is not None:
            return "models with an offset"
        return {"model_type": "linear", "family": None, "link": None}

    def get_vcov(self, vcov: bool | str | None = True) -> np.ndarray | None:
        """Covariance of the coefficients (p, p); ``"kenward-roger"`` for the adjusted one, False for none."""
        if vcov is None or vcov is False:
            return None
        if vcov is True:
            return self.model.cov_params().to_numpy()
        if vcov not in _COVARIANCES:
            listed = ", ".join(map(repr, _COVARIANCES))
            raise OptionError(f"vcov={vcov!r} is not known; use True, False, an array, or one of {listed}.")
        if isinstance(self.model, GeneralizedResults) and vcov != "normal":
            raise OptionError(f"vcov={vcov!r}: tests of a generalized fit are normal; use True.")
        return np.array(denominator(self.model._fitted, vcov).cov)


def _model_data(results: MixedResults | GeneralizedResults, known: dict[str, Predictor]) -> pl.DataFrame:
    """Response, predictors, and the other columns of the fit (grouping factors, weights)."""
    design = results.model.design
    out = {design.response: pl.Series(design.y)}
    for name in design.source.columns:
        if name not in out:
            out[name] = _column(known.get(name), design.source.values(name))
    return pl.DataFrame(out)


def _column(predictor: Predictor | None, values: Any) -> pl.Series:
    """Numbers as they are, text and factors as an Enum."""
    array = np.asarray(values)
    if array.dtype.kind in "iufbM":
        return pl.Series(array)
    levels = predictor.levels if predictor is not None and predictor.levels else pd.unique(array)
    return pl.Series([str(value) for value in array], dtype=pl.Enum([str(level) for level in levels]))


def _kind(column: pl.Series) -> str:
    """Type of a variable in marginaleffects' words."""
    if column.dtype == pl.Boolean:
        return "boolean"
    if not column.dtype.is_numeric():
        return "character" if column.dtype == pl.Enum else "unknown"
    if np.isin(column.to_numpy(), (0, 1)).all():
        return "binary"
    return "integer" if column.dtype.is_integer() else "numeric"
