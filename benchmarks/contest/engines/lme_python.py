"""lme-python from PyPI: lme4's formulas on polars data frames."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.base import Job
from benchmarks.contest.engines.formula import spelled_out, split
from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, Printed, serve

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["LmePython"]


class LmePython(PipEngine):
    """`lme_python.lmer` with its defaults; slopes must be numeric columns."""

    name = "lme-python"
    requirements = ("lme-python==0.2.7", "pandas>=2.2")

    def refusal(self, job: Job) -> str | None:
        """Random slopes of a factor are refused by the package."""
        slopes = set().union(*(bar.columns for bar in split(job.formula).bars)) & set(job.factors)
        return f"random slopes of the factor {', '.join(sorted(slopes))}" if slopes else None


def spell(formula: str, data: pd.DataFrame) -> tuple[str, pl.DataFrame]:
    """Write the formula with products as columns, and the data in polars, with categories as text."""
    import pandas as pd
    import polars as pl

    spelled, frame = spelled_out(formula, data)
    columns = {
        name: pl.Series(name, column.astype(str).tolist(), dtype=pl.Categorical)
        if isinstance(column.dtype, pd.CategoricalDtype)
        else pl.Series(name, column.to_numpy())
        for name, column in frame.items()
    }
    return spelled, pl.DataFrame(columns)


def fit(formula: str, data: pl.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call; `iterations` counts evaluations."""
    import lme_python

    result = lme_python.lmer(formula, data, reml=reml)
    criterion = result.reml_criterion if reml else result.deviance
    return Estimates(float(criterion), int(result.iterations), list(result.theta), list(result.coefficients))


def table(formula: str, data: pl.DataFrame, reml: bool) -> Printed:
    """Fit and print the summary, with the degrees of freedom that it has on demand."""
    import lme_python

    result = lme_python.lmer(formula, data, reml=reml)
    result.with_satterthwaite(data)
    return Printed(str(result.summary()), "Satterthwaite")


if __name__ == "__main__":
    serve(fit, table, metadata.version("lme-python"), spell)
