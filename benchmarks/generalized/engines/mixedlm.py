"""mixedlm from PyPI: lme4's interface and formulas."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.generalized.engines.base import GeneralizedEstimates, serve
from benchmarks.generalized.engines.pip import GeneralizedPipEngine
from benchmarks.generalized.engines.trials import as_proportion

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mixedlm"]


class Mixedlm(GeneralizedPipEngine):
    """`mixedlm.glmer` with its defaults; successes and failures as a proportion with weights."""

    name = "mixedlm"
    requirements = ("mixedlm==1.3.0",)


def fit(formula: str, data: tuple[pd.DataFrame, str | None], family: str) -> GeneralizedEstimates:
    """Fit with the public call. Triangles of theta come row by row, term by term as written."""
    import mixedlm
    import numpy as np

    frame, weights = data
    kind = {"binomial": mixedlm.families.Binomial, "poisson": mixedlm.families.Poisson}[family]
    result = mixedlm.glmer(formula, frame, family=kind(), weights=weights)
    np.sqrt(np.diag(result.vcov()))
    covariances, start = {}, 0
    for term in result.matrices.random_structures:
        lower = np.zeros((term.n_terms, term.n_terms))
        rows = np.tril_indices(term.n_terms)
        lower[rows] = result.theta[start : start + len(rows[0])]
        start += len(rows[0])
        covariances[term.grouping_factor] = (lower @ lower.T).tolist()
    return GeneralizedEstimates(int(result.n_iter), None, result.beta.tolist(), covariances)


if __name__ == "__main__":
    serve(fit, metadata.version("mixedlm"), as_proportion)
