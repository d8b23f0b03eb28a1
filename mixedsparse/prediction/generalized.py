"""Predictions of generalized models, of the linear predictor or of the mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.ground.checks import one_of
from mixedsparse.prediction.predict import check_new_levels
from mixedsparse.prediction.rows import check_known, chosen_groups, read_rows

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["SCALES", "predict_generalized"]

SCALES = ("response", "link")
_MEND = "Leave them out, or use new_levels='zero' to predict with random effects of 0."


def predict_generalized(
    fitted: GeneralizedFitted,
    newdata: Any = None,
    random: str | Sequence[str] = "conditional",
    new_levels: str = "error",
    *,
    type: str = "response",
    offset: Any = None,
) -> pd.Series:
    """Predict rows; see `GeneralizedResults.predict`."""
    one_of("type", type, SCALES)
    check_new_levels(new_levels)
    groups = chosen_groups(fitted, random)
    rows = read_rows(fitted, newdata, groups, set(), offset)
    if new_levels == "error":
        check_known(fitted, rows, groups, _MEND)
    eta = rows.means(fitted, groups)
    return pd.Series(eta if type == "link" else fitted.family.mean(eta), index=rows.index, name="predicted")
