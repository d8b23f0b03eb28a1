"""What is written of rows that are predicted batch by batch: means, limits and residuals of linear models."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.data.formula.newdata import Encoding, encode_response
from mixedsparse.prediction.predict import predicted_limits
from mixedsparse.prediction.rows import Rows

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["LINEAR", "Output"]


class Output:
    """Predictions and residuals of a linear model."""

    def predicted(self, eta: np.ndarray) -> np.ndarray:
        """Return what is written of the linear predictor (n,)."""
        return eta

    def limits(
        self, fitted: Fitted, rows: Rows, groups: Collection[str], interval: str, level: float, ddf: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Linear predictor of rows, and lower and upper limits as they are written, (n,) each."""
        return predicted_limits(fitted, rows, groups, interval, level, ddf)

    def columns(self) -> list[str]:
        """Columns of the source that limits take beside those of the formula."""
        return []

    def residuals(self, encoding: Encoding, rows: Any, eta: np.ndarray) -> np.ndarray | None:
        """Residuals (n,) of rows that have a response; None where it cannot be read."""
        return encode_response(encoding, rows) - eta


LINEAR = Output()
