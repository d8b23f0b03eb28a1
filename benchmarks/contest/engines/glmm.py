"""glmm from PyPI: R's formulas, in Rust."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.formula import spelled_out, split
from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, Printed, relative_factor, serve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Glmm"]


class Glmm(PipEngine):
    """`glmm.fit` with its defaults, but to estimates without the degrees of freedom, which are the table's."""

    name = "glmm"
    requirements = ("glmm==0.6.2", "pandas>=2.2")


def fit(formula: str, data: pd.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call."""
    import glmm

    result = glmm.fit(data, formula, reml=reml, satterthwaite=False)
    return Estimates(-2.0 * float(result.loglik), int(result.n_eval), theta_of(formula, result), result.beta.tolist())


def theta_of(formula: str, result: Any) -> list[float]:
    """Relative covariance factors; covariances come as lower triangles by columns, groups in an order of their own."""
    import numpy as np

    packed = {str(group): values for (group, _), values in zip(result.re_groups, result.varcorr, strict=True)}
    theta: list[float] = []
    for bar in split(formula).bars:
        values = np.asarray(packed[bar.group]) / result.dispersion
        size = int((np.sqrt(8 * len(values) + 1) - 1) / 2)
        lower = np.zeros((size, size))
        lower.T[np.triu_indices(size)] = values
        theta += relative_factor(lower + np.tril(lower, -1).T)
    return theta


def table(formula: str, data: pd.DataFrame, reml: bool) -> Printed:
    """Fit and print the summary, with its default degrees of freedom."""
    import glmm

    return Printed(str(glmm.fit(data, formula, reml=reml).summary_object()), "Satterthwaite")


if __name__ == "__main__":
    serve(fit, table, metadata.version("glmm"), spelled_out)
