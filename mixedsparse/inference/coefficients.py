"""The table of the fixed effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.denominators import with_information

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["coef_table", "errors_by_probes"]


def coef_table(fitted: Fitted, ddf: str = "satterthwaite", *, information: str | None = None) -> pd.DataFrame:
    """Estimates, standard errors and t-tests; see `MixedResults.coef_table`."""
    tests = contrast_tests(fitted, np.eye(len(fitted.fit.beta)), with_information(ddf, information))
    columns = {"Estimate": tests.estimate, "SE": tests.se, "df": tests.df, "t": tests.t, "p": tests.p}
    return pd.DataFrame(columns | errors_by_probes(fitted), index=fitted.x_names)


def errors_by_probes(fitted: Fitted) -> dict[str, np.ndarray]:
    """Columns with the Monte-Carlo errors of the coefficients; none where every number is exact."""
    known = fitted.fit.monte_carlo
    return {} if known is None else {"MC error": known.beta_error}
