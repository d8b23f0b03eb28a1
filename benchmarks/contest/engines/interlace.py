"""interlace-lme from PyPI: formulas for the fixed part, lme4's bars one by one."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from benchmarks.contest.engines.base import Job
from benchmarks.contest.engines.formula import Parts, by_columns, split, with_columns_for_products
from benchmarks.contest.engines.pip import PipEngine
from benchmarks.contest.engines.worker import Estimates, Printed, serve

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Interlace"]


class Interlace(PipEngine):
    """`interlace.fit` with its defaults, as ``pip install interlace-lme`` gives it: without CHOLMOD."""

    name = "interlace"
    requirements = ("interlace-lme==0.3.2",)

    def refusal(self, job: Job) -> str | None:
        """Random slopes of a factor are refused by the package."""
        slopes = set().union(*(bar.columns for bar in split(job.formula).bars)) & set(job.factors)
        return f"random slopes of the factor {', '.join(sorted(slopes))}" if slopes else None


def spell(formula: str, data: pd.DataFrame) -> tuple[Parts, pd.DataFrame]:
    """Write products as columns: the package knows neither ``a:b`` nor ``a * b`` in a random term."""
    parts = split(formula)
    frame, bars = with_columns_for_products(data, parts.bars)
    return Parts(parts.response, parts.fixed, bars), frame


def fit(parts: Parts, data: pd.DataFrame, reml: bool) -> Estimates:
    """Fit with the public call. It does not say how often it evaluated the criterion."""
    result = fitted(parts, data, reml)
    theta = by_columns(result.theta, [len(bar.effects) for bar in parts.bars])
    return Estimates(-2.0 * float(result.llf), None, theta, result.fe_params.tolist())


def fitted(parts: Parts, data: pd.DataFrame, reml: bool) -> Any:
    """Return the result of the public call."""
    import interlace

    return interlace.fit(
        f"{parts.response} ~ {parts.fixed}",
        data,
        random=[str(bar) for bar in parts.bars],
        method="REML" if reml else "ML",
    )


def table(parts: Parts, data: pd.DataFrame, reml: bool) -> Printed:
    """Fit and print the summary; its degrees of freedom differ from lmerTest's."""
    return Printed(str(fitted(parts, data, reml).summary()), "its own df")


if __name__ == "__main__":
    serve(fit, table, metadata.version("interlace-lme"), spell)
