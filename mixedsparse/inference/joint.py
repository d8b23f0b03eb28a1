"""Joint F tests of interaction contrasts among marginal means, term by term."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.linalg import null_space as kernel

from mixedsparse.errors import OptionError
from mixedsparse.formula.translate import aliases_in
from mixedsparse.inference.contrast import joint_test
from mixedsparse.inference.emmeans import marginal, read_specs
from mixedsparse.inference.grid import Grid, check_known, make_grid, null_space, predictors
from mixedsparse.inference.means import by_groups

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["joint_tests"]


def joint_tests(
    results: MixedResults,
    by: str | Sequence[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    ddf: str = "satterthwaite",
) -> pd.DataFrame:
    """Test every term; see `MixedResults.joint_tests`."""
    _, by = read_specs([], by)
    known = predictors(results)
    check_known(by, known, "by")
    around = {p.name: (p.levels[0] - 1.0, p.levels[0] + 1.0) for p in known.values() if not p.is_factor}
    grid = make_grid(results, at, spread=around)
    free = [name for name in grid.levels if name not in by and len(grid.levels[name]) > 1]
    if not free:
        raise OptionError(f"There is nothing to test: the predictors are {', '.join(map(repr, known)) or 'none'}.")
    terms = _terms(results)
    null = null_space(results)
    rows = []
    for size in range(1, len(free) + 1):
        for names in itertools.combinations(free, size):
            if any(term.issuperset(names) for term in terms):
                rows += _test_term(results, grid, names, by, null, ddf)
    return pd.DataFrame(rows)


def _terms(results: MixedResults) -> list[frozenset[str]]:
    """Variables of each term of the fixed part."""
    encoding = results.model.design.encoding
    assert encoding is not None
    parsed = encoding.parsed
    return [
        frozenset(parsed.names[alias] for factor in term.factors for alias in aliases_in(factor.expr))
        for term in encoding.fixed.side.formula
    ]


def _test_term(
    results: MixedResults, grid: Grid, names: Sequence[str], by: Sequence[str], null: np.ndarray, ddf: str
) -> list[dict[str, Any]]:
    """One row per combination of `by`; combinations without an estimable contrast are left out."""
    frame, average = marginal(grid, names, by)
    differences = np.ones((1, 1))
    for name in names:  # the first factor of the means varies fastest
        differences = np.kron(np.diff(np.eye(len(grid.levels[name])), axis=0), differences)
    kept = results.model.problem.basis.kept
    rows = []
    for group in by_groups(frame, by):
        L = differences @ average[group] @ grid.X
        # Combinations of the contrasts that do not touch the dependencies of X.
        L = kernel((L @ null).T).T @ L if null.size else L
        test = joint_test(results, L[:, kept], ddf) if len(L) else None
        if test is not None and test.num_df:
            labels = {name: frame[name].iloc[group[0]] for name in by}
            found = {"NumDF": test.num_df, "DenDF": test.den_df, "F": test.F, "p": test.p}
            rows.append({"term": ":".join(names), **labels, **found})
    return rows
