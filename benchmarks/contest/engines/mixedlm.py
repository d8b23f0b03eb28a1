"""mixedlm from PyPI: lme4's interface and formulas."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, serve

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
    return Estimates(float(result.deviance), int(result.function_evals), result.theta.tolist(), result.beta.tolist())


if __name__ == "__main__":
    serve(fit, metadata.version("mixedlm"))
