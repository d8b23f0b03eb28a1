"""gpboost from PyPI, twice: Cholesky factors, and its iterative methods with stochastic log-determinants.

Maximum likelihood only, independent random effects only, arrays instead of formulas: the design matrix is made before
the clock starts.
"""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.base import Job
from benchmarks.contest.engines.formula import Bar, split, with_columns_for_products
from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, Printed, serve

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["GpBoost"]

Design = tuple["np.ndarray", "np.ndarray", "pd.DataFrame"]


class GpBoost(PipEngine):
    """`gpboost.GPModel` with its defaults but for the method of inversion, ``"cholesky"`` or ``"iterative"``."""

    requirements = ("gpboost==1.8.0", "pandas>=2.2", "formulaic>=1.1")
    environment = "gpboost"
    reml = False

    def __init__(self, method: str) -> None:
        self.name = "gpboost" if method == "cholesky" else f"gpboost-{method}"
        self.options = (method,)

    def refusal(self, job: Job) -> str | None:
        """Slopes would be independent of intercepts; one grouping factor alone has no iterative method."""
        bars = split(job.formula).bars
        if not all(bar.is_intercept for bar in bars):
            return "correlated random slopes"
        if self.options == ("iterative",) and len(bars) == 1:
            return "one grouping factor by iterative methods"
        return None


def spell(formula: str, data: pd.DataFrame) -> tuple[tuple[Bar, ...], Design]:
    """Make response, fixed-effects design and grouping columns."""
    from formulaic import model_matrix

    parts = split(formula)
    frame, bars = with_columns_for_products(data, parts.bars)
    X = model_matrix(parts.fixed, frame).to_numpy(dtype=float)
    return bars, (frame[parts.response].to_numpy(dtype=float), X, frame[[bar.group for bar in bars]])


def fit(method: str, bars: tuple[Bar, ...], design: Design, reml: bool) -> Estimates:
    """Fit by maximum likelihood. Variances come as residual, then one per group; iterations stand for evaluations."""
    import numpy as np

    model = fitted(method, design, reml)
    residual, *variances = np.asarray(model.get_cov_pars()).ravel().tolist()
    theta = [float(np.sqrt(variance / residual)) for variance in variances]
    criterion = 2.0 * float(model.get_current_neg_log_likelihood())
    return Estimates(criterion, int(model._get_num_optim_iter()), theta, np.asarray(model.get_coef()).ravel().tolist())


def fitted(method: str, design: Design, reml: bool) -> Any:
    """Return the fitted `gpboost.GPModel`."""
    import gpboost

    if reml:
        raise ValueError("gpboost has no REML")
    y, X, groups = design
    model = gpboost.GPModel(group_data=groups, likelihood="gaussian", matrix_inversion_method=method)
    model.fit(y=y, X=X)
    return model


def table(method: str, bars: tuple[Bar, ...], design: Design, reml: bool) -> Printed:
    """Fit and print the summary, which tests with z."""
    with redirect_stdout(io.StringIO()) as printed:
        fitted(method, design, reml).summary()
    return Printed(printed.getvalue(), "z")


if __name__ == "__main__":
    method = sys.argv.pop(1)
    serve(partial(fit, method), partial(table, method), metadata.version("gpboost"), spell)
