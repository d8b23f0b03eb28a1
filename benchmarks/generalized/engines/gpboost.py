"""gpboost from PyPI: arrays instead of formulas, independent random effects, no standard errors asked."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.formula import split
from benchmarks.generalized.engines.base import GeneralizedEstimates, GeneralizedJob, serve
from benchmarks.generalized.engines.pip import GeneralizedPipEngine

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["GpBoost"]

LIKELIHOODS = {"binomial": "bernoulli_logit", "poisson": "poisson"}


class GpBoost(GeneralizedPipEngine):
    """`gpboost.GPModel` with its defaults; the design matrix is made before the clock starts."""

    name = "gpboost"
    requirements = ("gpboost==1.8.0", "pandas>=2.2", "formulaic>=1.1")

    def refusal(self, job: GeneralizedJob) -> str | None:
        """Slopes would be independent of intercepts; binary responses have one trial."""
        if job.formula.startswith("cbind"):
            return "numbers of successes and failures"
        return None if all(bar.is_intercept for bar in split(job.formula).bars) else "correlated random slopes"


def spell(formula: str, frame: pd.DataFrame) -> tuple[list[str], tuple[np.ndarray, np.ndarray, pd.DataFrame]]:
    """Make response, fixed-effects design and grouping columns."""
    from formulaic import model_matrix

    parts = split(formula)
    X = model_matrix(parts.fixed, frame).to_numpy(dtype=float)
    groups = [bar.group for bar in parts.bars]
    return groups, (frame[parts.response].to_numpy(dtype=float), X, frame[groups])


def fit(groups: list[str], design: tuple[np.ndarray, np.ndarray, pd.DataFrame], family: str) -> GeneralizedEstimates:
    """Fit by maximum likelihood; iterations stand for evaluations."""
    import gpboost
    import numpy as np

    y, X, codes = design
    model = gpboost.GPModel(group_data=codes, likelihood=LIKELIHOODS[family])
    model.fit(y=y, X=X)
    variances = np.asarray(model.get_cov_pars()).ravel().tolist()
    return GeneralizedEstimates(
        int(model._get_num_optim_iter()),
        2.0 * float(model.get_current_neg_log_likelihood()),
        np.asarray(model.get_coef()).ravel().tolist(),
        {group: [[variance]] for group, variance in zip(groups, variances, strict=True)},
    )


if __name__ == "__main__":
    serve(fit, metadata.version("gpboost"), spell)
