"""glmm from PyPI: R's formulas, in Rust."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.generalized.engines.base import GeneralizedEstimates, serve
from benchmarks.generalized.engines.pip import GeneralizedPipEngine

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Glmm"]


class Glmm(GeneralizedPipEngine):
    """`glmm.fit` with its defaults, but without likelihood ratio tests, for which it would refit Poisson models."""

    name = "glmm"
    requirements = ("glmm==0.6.2", "pandas>=2.2")


def fit(formula: str, data: pd.DataFrame, family: str) -> GeneralizedEstimates:
    """Fit with the public call. Covariances come as lower triangles by columns."""
    import glmm
    import numpy as np

    result = glmm.fit(data, formula, family=family, anova_test="Wald")
    covariances = {}
    for (group, _), packed in zip(result.re_groups, result.varcorr, strict=True):
        size = int((np.sqrt(8 * len(packed) + 1) - 1) / 2)
        lower = np.zeros((size, size))
        lower.T[np.triu_indices(size)] = packed
        covariances[str(group)] = (lower + np.tril(lower, -1).T).tolist()
    return GeneralizedEstimates(int(result.n_eval), -2.0 * float(result.loglik), result.beta.tolist(), covariances)


if __name__ == "__main__":
    serve(fit, metadata.version("glmm"))
