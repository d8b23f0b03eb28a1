"""Tests of the coefficients of generalized models: normal, and ratios with limits on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd

from mixedsparse.ground.checks import check_level, one_of
from mixedsparse.ground.choices import CovarianceKind
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.adjust import t_quantile
from mixedsparse.inference.coefficients import errors_by_probes
from mixedsparse.inference.contrast import contrast_tests

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["RATIOS", "cov_params", "z_table"]

# Links of whose coefficients the exponential has a meaning, and what it is.
RATIOS = {"logit": "odds ratio", "log": "rate ratio", "cloglog": "hazard ratio"}


def z_table(fitted: GeneralizedFitted, exp: bool = False, level: float = 0.95, ddf: str = "normal") -> pd.DataFrame:
    """Estimates, standard errors and z tests; see `GeneralizedResults.coef_table`."""
    tests = contrast_tests(fitted, np.eye(len(fitted.fit.beta)), ddf)
    columns = {"Estimate": tests.estimate, "SE": tests.se, "z": tests.t, "p": tests.p}
    if exp:
        check_level(level)
        ratio = RATIOS.get(fitted.family.link.name)
        if ratio is None:
            raise OptionError(
                f"exp=True: the exponential of a coefficient has no meaning with the {fitted.family.link.name} link, "
                f"only with {', '.join(RATIOS)}."
            )
        half = t_quantile(np.inf, level) * tests.se
        limits = {"lower": np.exp(tests.estimate - half), "upper": np.exp(tests.estimate + half)}
        columns |= {ratio: np.exp(tests.estimate)} | limits
    return pd.DataFrame(columns | errors_by_probes(fitted), index=fitted.x_names)


def cov_params(fitted: GeneralizedFitted, kind: str = "joint") -> pd.DataFrame:
    """Covariance of the coefficients; see `GeneralizedResults.cov_params`."""
    one_of("kind", kind, get_args(CovarianceKind))
    cov = fitted.cov_beta if kind == "joint" else fitted.fit.conditional
    return pd.DataFrame(cov.copy(), index=fitted.x_names, columns=fitted.x_names)
