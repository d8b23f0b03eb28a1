"""Rows with what a fit says of each, under the names of R's broom.mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.data.formula.frames import open_table
from mixedsparse.diagnostics.generalized import residuals
from mixedsparse.diagnostics.generalized_influence import generalized_cooks_distance, generalized_leverage
from mixedsparse.diagnostics.leverage import cooks_distance, leverage
from mixedsparse.prediction.generalized import predict_generalized
from mixedsparse.prediction.predict import predict

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["augment", "augment_generalized"]


def augment(fitted: Fitted, newdata: Any, new_levels: str) -> pd.DataFrame:
    """See `MixedResults.augment`."""
    if newdata is not None:
        mean = predict(fitted, newdata, new_levels=new_levels)
        new = open_table(newdata)
        table = pd.DataFrame({name: new.column(name) for name in new.names}, index=mean.index)
        return table.assign(**{".fitted": mean, ".fixed": predict(fitted, newdata, random="population")})
    design, table = fitted.design, _columns(fitted)
    if design.response not in table:
        table.insert(0, design.response, design.y)
    table[".fitted"] = fitted.values
    table[".fixed"] = predict(fitted, random="population")
    table[".resid"] = fitted.residuals
    known = fitted.problem.whitener is None  # of correlated rows none has a leverage of its own
    table[".hat"] = leverage(fitted) if known else np.nan
    table[".cooksd"] = cooks_distance(fitted) if known else np.nan
    if design.offset is not None:
        table[".offset"] = design.offset
    if design.weights is not None:
        table[".weights"] = design.weights
    return table


def augment_generalized(fitted: GeneralizedFitted, newdata: Any, new_levels: str) -> pd.DataFrame:
    """See `GeneralizedResults.augment`."""
    fixed = predict_generalized(fitted, newdata, random="population")
    if newdata is not None:
        eta, mean = (predict_generalized(fitted, newdata, new_levels=new_levels, type=t) for t in ("link", "response"))
        new = open_table(newdata)
        table = pd.DataFrame({name: new.column(name) for name in new.names}, index=eta.index)
        return table.assign(**{".fitted": mean, ".fixed": fixed, ".eta": eta})
    design = fitted.design
    table = _columns(fitted).assign(**{".fitted": fitted.values, ".fixed": fixed, ".eta": fitted.linear_predictor})
    table[".resid"] = residuals(fitted)
    table[".pearson"] = fitted.scaled_residuals
    known = fitted.fit.point is not None
    table[".hat"] = generalized_leverage(fitted) if known else np.nan
    table[".cooksd"] = generalized_cooks_distance(fitted) if known else np.nan
    for name, values in ((".offset", design.offset), (".weights", design.weights), (".trials", design.trials)):
        if values is not None:
            table[name] = values
    return table


def _columns(fitted: Fitted) -> pd.DataFrame:
    """Columns that the formula uses."""
    design = fitted.design
    columns: dict[str, Any] = {}
    if design.source is not None and design.encoding is not None:
        # In the order of the formula; columns named by weights= and offset= last.
        names = dict.fromkeys([*design.encoding.parsed.columns, *design.source.columns])
        columns = {name: design.source.columns[name] for name in names}
    return pd.DataFrame(columns, index=design.index)
