"""Joint F tests of interaction contrasts among marginal means, term by term."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import EmptyTableWarning, OptionError
from mixedsparse.inference.contrast import joint_test
from mixedsparse.inference.contrasts_of_means import by_groups
from mixedsparse.inference.emmeans import marginal, read_specs
from mixedsparse.inference.estimability import estimable_part, null_space
from mixedsparse.inference.grid import Grid, check_known, make_grid, predictors, term_variables
from mixedsparse.inference.hypotheses import known_terms

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["joint_tests"]

# emmeans marks these rows by e and d.
_NOT_ESTIMABLE = "e: NumDF is reduced by contrasts that cannot be estimated"
_DEPENDENT = "d: NumDF is reduced by contrasts that depend on each other"


def joint_tests(
    fitted: Fitted,
    by: str | Sequence[str] | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    ddf: str = "satterthwaite",
) -> pd.DataFrame:
    """Test every term; see `MixedResults.joint_tests`."""
    _, by = read_specs([], by)
    known = predictors(fitted)
    check_known(by, known, "by")
    around = {p.name: (p.levels[0] - 1.0, p.levels[0] + 1.0) for p in known.values() if not p.is_discrete}
    grid = make_grid(fitted, at, spread=around)
    free = [name for name in grid.levels if name not in by and len(grid.levels[name]) > 1]
    if not free:
        raise OptionError(f"There is nothing to test: the predictors are {', '.join(map(repr, known)) or 'none'}.")
    nests = [frozenset([name, *groups]) for name, groups in grid.nesting.items()]
    terms = [*term_variables(fitted), *nests]
    tests = _Tests(fitted, grid, by, ddf)
    rows = []
    for size in range(1, len(free) + 1):
        for names in itertools.combinations(free, size):
            if any(term.issuperset(names) for term in terms):
                rows += tests.of(names)
    if not rows:
        warnings.warn(
            "The data determine no contrast of any term, so the table is empty: the levels do not occur together. Give "
            "at= those that do.",
            EmptyTableWarning,
            stacklevel=user_level(),
        )
    table = pd.DataFrame(rows, columns=["term", *by, "NumDF", "DenDF", "F", "p", "note"])
    return table if table["note"].any() else table.drop(columns="note")


class _Tests:
    """Tests of the interaction contrasts of one grid, within each combination of `by`."""

    def __init__(self, fitted: Fitted, grid: Grid, by: Sequence[str], ddf: str) -> None:
        self.fitted, self.grid, self.by, self.ddf = fitted, grid, by, ddf
        self.null, self.terms = null_space(fitted), known_terms(fitted)

    def of(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """One row per combination of `by`; combinations without an estimable contrast are left out.

        Nested factors are compared within the levels that they are nested in, which are then among `names` or `by`.
        """
        nesters = {group for name in names for group in self.grid.nesting.get(name, ())}
        if not nesters.issubset([*names, *self.by]):
            return []
        frame, average = marginal(self.grid, names, self.by)
        contrasts = np.ones((1, 1))
        for name in names:  # the first factor of the means varies fastest
            own = np.eye(len(self.grid.levels[name]))
            contrasts = np.kron(own if name in nesters else np.diff(own, axis=0), contrasts)
        kept = self.fitted.problem.basis.kept
        rows = []
        for group in by_groups(frame, self.by):
            L = self._estimable(contrasts, average[group])
            test = joint_test(self.fitted, L[:, kept], self.ddf, terms=self.terms) if len(L) else None
            if test is not None and test.num_df:
                labels = {name: frame[name].iloc[group[0]] for name in self.by}
                note = _NOT_ESTIMABLE if len(L) < len(contrasts) else _DEPENDENT if test.num_df < len(L) else ""
                found = {"NumDF": test.num_df, "DenDF": test.den_df, "F": test.F, "p": test.p, "note": note}
                rows.append({"term": ":".join(names), **labels, **found})
        return rows

    def _estimable(self, contrasts: np.ndarray, average: np.ndarray) -> np.ndarray:
        """Return combinations (r, P) of contrasts of the means that exist, without the dependencies of X."""
        absent = np.isnan(average).any(axis=1)
        if absent.any():
            contrasts = estimable_part(contrasts, np.eye(len(absent))[:, absent])
        L = contrasts[:, ~absent] @ average[~absent] @ self.grid.X
        return estimable_part(L, self.null) if self.null.size and len(L) else L
