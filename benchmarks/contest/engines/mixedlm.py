"""mixedlm from PyPI: lme4's interface and formulas."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.formula import by_columns
from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, Printed, serve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Mixedlm"]


class Mixedlm(PipEngine):
    """`mixedlm.lmer` with its defaults."""

    name = "mixedlm"
    requirements = ("mixedlm==1.3.0",)


def fit(formula: str, data: pd.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call. `deviance` holds the REML criterion after REML."""
    import mixedlm

    result = mixedlm.lmer(formula, data, REML=reml)
    theta = by_columns(result.theta, [size for term in result.matrices.random_structures for size in triangles(term)])
    return Estimates(float(result.deviance), int(result.function_evals), theta, result.beta.tolist())


def table(formula: str, data: pd.DataFrame, reml: bool) -> Printed:
    """Fit and print the summary, with its default degrees of freedom."""
    import mixedlm

    return Printed(str(mixedlm.lmer(formula, data, REML=reml).summary()), "Satterthwaite")


def triangles(term: Any) -> list[int]:
    """Sizes of the covariance matrices of one term; its triangles are stored by rows."""
    return [term.n_terms] if term.correlated else [1] * term.n_terms


if __name__ == "__main__":
    serve(fit, table, metadata.version("mixedlm"))
