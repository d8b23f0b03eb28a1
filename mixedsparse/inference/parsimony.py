"""From a maximal random part to a parsimonious one, with every model on the way in a table.

Source: Bates, Kliegl, Vasishth & Baayen (2015), Parsimonious mixed models, arXiv:1506.04967; the level of the tests is
that of Matuschek, Kliegl, Vasishth, Baayen & Bates (2017), Journal of Memory and Language 94, 305-315.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.inference.generalized.random_search import GeneralizedTrail
from mixedsparse.inference.p_values import p_value
from mixedsparse.inference.random_search import Row, Trail, likelihood_ratio
from mixedsparse.inference.refit import check_exact

__all__ = ["Parsimony", "search"]


@dataclass(frozen=True, eq=False, repr=False)
class Parsimony:
    """What `parsimony` tried, and where it ended.

    Attributes
    ----------
    table : DataFrame
        One row per model in the order tried: ``step``, ``change``, ``formula``, ``parent`` (row it is tested against),
        ``npar``, ``deviance`` (REML criterion or -2 log-likelihood), ``AIC``, ``BIC``, ``LRT``, ``Df``, ``p``,
        ``dimensions`` (components of `rePCA` that are supported, of those in the model), ``singular``, ``converged``,
        ``verdict``, ``chosen`` (whether the search went on from it; the last one chosen is `final`).
    start, final : MixedResults
        The maximal model and the parsimonious one.
    alpha : float
    comparison : Series
        Likelihood-ratio test of the final model against the maximal one: ``LRT``, ``Df``, ``p``.
    """

    table: pd.DataFrame
    start: Any
    final: Any
    alpha: float
    comparison: pd.Series

    def __repr__(self) -> str:
        columns = ["step", "change", "parent", "npar", "deviance", "LRT", "Df", "p", "dimensions", "verdict", "chosen"]
        test = self.comparison
        p = p_value(test["p"])
        against = (
            f"LRT {test['LRT']:.2f} on {test['Df']:.0f} df, p {p if p.startswith('<') else '= ' + p}"
            if test["Df"]
            else "the same model"
        )
        return (
            f"{self._printed()[columns].to_string()}\n\nFinal: {self.final.formula}\n"
            f"Against the maximal model: {against} ({self.final.method}, alpha = {self.alpha:g})"
        )

    def _repr_html_(self) -> str:
        return f"{self._printed().to_html()}<p>Final: <code>{self.final.formula}</code></p>"

    def _printed(self) -> pd.DataFrame:
        """`table` with p-values as text, so that none is printed as 0."""
        return self.table.assign(p=["" if pd.isna(p) else p_value(p) for p in self.table["p"]])


def search(
    fitted: Fitted,
    alpha: float,
    keep_intercepts: bool,
    progress: bool | Callable[[Row], None] | None,
    wrap: Callable[[Fitted], Any],
) -> Parsimony:
    """Reduce the random part of `fitted`; see `mixedsparse.parsimony`. `wrap` makes the user's results of a fit."""
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1; 0.2 is the default, 0.05 keeps fewer effects.")
    design = fitted.design
    if design.encoding is None or design.source is None:
        raise DataError("The model was made from arrays, so its random part has no formula to reduce: fit it from one.")
    if not fitted.problem.terms:
        raise DataError("The model has no random effects that could be left out: compare fits with ms.anova.")
    trail = _trail(fitted, alpha, progress)
    start = trail.start_parts()
    trail.begin(start)
    current = trail.zero_correlations(start)
    current = trail.drop_variances(current, keep_intercepts)
    current = trail.enlarge(current, start)
    current = trail.return_until_kept(current, start)
    table = pd.DataFrame(trail.rows).astype({"parent": "Int64", "Df": "Int64"})
    final = trail.fit(current)
    comparison = pd.Series(likelihood_ratio(final, fitted), name="final against maximal")
    return Parsimony(table, wrap(fitted), wrap(final), alpha, comparison)


def _trail(fitted: Fitted, alpha: float, progress: bool | Callable[[Row], None] | None) -> Trail:
    if isinstance(fitted, GeneralizedFitted):
        return GeneralizedTrail(fitted, alpha, progress)
    check_exact(fitted)
    return Trail(fitted, alpha, progress)
