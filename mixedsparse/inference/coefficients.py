"""The table of the fixed effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.inference.contrast import contrast_tests
from mixedsparse.inference.denominators import with_information

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["coef_table"]


def coef_table(fitted: Fitted, ddf: str = "satterthwaite", *, information: str | None = None) -> pd.DataFrame:
    """Estimates, standard errors and t-tests; see `MixedResults.coef_table`."""
    tests = contrast_tests(fitted, np.eye(len(fitted.fit.beta)), with_information(ddf, information))
    columns = {"Estimate": tests.estimate, "SE": tests.se, "df": tests.df, "t": tests.t, "p": tests.p}
    if fitted.fit.monte_carlo is not None:
        columns["MC error"] = fitted.fit.monte_carlo.beta_error
    return pd.DataFrame(columns, index=fitted.x_names)
