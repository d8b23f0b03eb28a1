"""lme-python from PyPI: lme4's formulas on polars data frames."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from benchmarks.contest.engines.formula import split
from benchmarks.generalized.engines.base import GeneralizedEstimates, serve
from benchmarks.generalized.engines.pip import GeneralizedPipEngine
from benchmarks.generalized.engines.trials import as_proportion

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["LmePython"]


class LmePython(GeneralizedPipEngine):
    """`lme_python.glmer` with its defaults; slopes of a factor with two levels as a column of 0 and 1."""

    name = "lme-python"
    requirements = ("lme-python==0.2.7", "pandas>=2.2")


def spell(formula: str, frame: pd.DataFrame) -> tuple[tuple[str, list[tuple[str, int]]], tuple[pl.DataFrame, object]]:
    """Return formula with names and sizes of its terms, and the data in polars with weights."""
    import pandas as pd
    import polars as pl

    formula, (frame, trials) = as_proportion(formula, frame)
    bars = split(formula).bars
    slopes = set().union(*(bar.columns for bar in bars))
    columns = {}
    for name, column in frame.items():
        if not isinstance(column.dtype, pd.CategoricalDtype):
            columns[name] = pl.Series(name, column.to_numpy())
        elif name in slopes:
            columns[name] = pl.Series(name, column.cat.codes.to_numpy().astype(float))
        else:
            columns[name] = pl.Series(name, column.astype(str).tolist(), dtype=pl.Categorical)
    weights = None if trials is None else frame[trials].tolist()
    return (formula, [(bar.group, len(bar.effects)) for bar in bars]), (pl.DataFrame(columns), weights)


def fit(
    model: tuple[str, list[tuple[str, int]]], data: tuple[pl.DataFrame, object], family: str
) -> GeneralizedEstimates:
    """Fit with the public call. Triangles of theta come column by column, term by term as written."""
    import lme_python
    import numpy as np

    (formula, terms), (frame, weights) = model, data
    result = (
        lme_python.glmer(formula, frame, family)
        if weights is None
        else lme_python.glmer_weighted(formula, frame, family, 1, weights)
    )
    list(result.std_errors)
    covariances, start = {}, 0
    for group, size in terms:
        upper = np.zeros((size, size))
        entries = size * (size + 1) // 2
        upper[np.triu_indices(size)] = list(result.theta)[start : start + entries]
        start += entries
        covariances[group] = (upper.T @ upper).tolist()
    return GeneralizedEstimates(int(result.iterations), None, list(result.coefficients), covariances)


if __name__ == "__main__":
    serve(fit, metadata.version("lme-python"), spell)
