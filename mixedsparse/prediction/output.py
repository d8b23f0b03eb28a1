"""What is written of rows that are predicted batch by batch: means and residuals of linear and generalized models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.data.formula.newdata import Encoding, encode_outcome, encode_response
from mixedsparse.fitted.warnings import warn_of_range

if TYPE_CHECKING:
    from mixedsparse.core.likelihood.family import Family

__all__ = ["LINEAR", "GeneralizedOutput", "Output"]


class Output:
    """Predictions and residuals of a linear model."""

    def predicted(self, eta: np.ndarray) -> np.ndarray:
        """Return what is written of the linear predictor (n,)."""
        return eta

    def residuals(self, encoding: Encoding, rows: Any, eta: np.ndarray) -> np.ndarray | None:
        """Residuals (n,) of rows that have a response; None where it cannot be read."""
        return encode_response(encoding, rows) - eta


LINEAR = Output()


@dataclass(frozen=True)
class GeneralizedOutput(Output):
    """Means, or linear predictors, and deviance residuals of a generalized model.

    Attributes
    ----------
    family : Family
    psi : float
    link : bool
        Whether the linear predictor itself is written.
    """

    family: Family
    psi: float
    link: bool

    def predicted(self, eta: np.ndarray) -> np.ndarray:
        """See `Output.predicted`."""
        if self.link:
            return eta
        warn_of_range(self.family, eta)
        return self.family.mean(eta)

    def residuals(self, encoding: Encoding, rows: Any, eta: np.ndarray) -> np.ndarray | None:
        """See `Output.residuals`; trials that the fit got as an array are not known here."""
        if encoding.outcome is None:
            return None
        y, m = encode_outcome(encoding, rows)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.family.deviance_residuals(y, m, self.family.mean(eta), self.psi)
