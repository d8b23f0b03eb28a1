"""From a maximal random part to a parsimonious one, with every model on the way in a table.

Source: Bates, Kliegl, Vasishth & Baayen (2015), Parsimonious mixed models, arXiv:1506.04967; the level of the tests is
that of Matuschek, Kliegl, Vasishth, Baayen & Bates (2017), Journal of Memory and Language 94, 305-315.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from scipy.special import chdtrc

from mixedsparse.core.outcome import Stop
from mixedsparse.errors import DataError, MixedSparseWarning, OptionError
from mixedsparse.formula.design import factor_columns
from mixedsparse.formula.random_part import RandomPart, random_parts, reductions, with_random
from mixedsparse.formula.source import Source
from mixedsparse.inference.pca import random_pca
from mixedsparse.inference.refit import check_exact

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["Parsimony", "parsimony"]

Parts = tuple[RandomPart, ...]
Row = dict[str, Any]


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
    """

    table: pd.DataFrame
    start: MixedResults
    final: MixedResults
    alpha: float

    @property
    def comparison(self) -> pd.Series:
        """Likelihood-ratio test of the final model against the maximal one: ``LRT``, ``Df``, ``p``."""
        return pd.Series(_lrt(self.final, self.start), name="final against maximal")

    def __repr__(self) -> str:
        columns = ["step", "change", "parent", "npar", "deviance", "LRT", "Df", "p", "dimensions", "verdict", "chosen"]
        test = self.comparison
        against = (
            f"LRT {test['LRT']:.2f} on {test['Df']:.0f} df, p = {test['p']:.3f}" if test["Df"] else "the same model"
        )
        return (
            f"{self.table[columns].to_string()}\n\nFinal: {self.final.formula}\n"
            f"Against the maximal model: {against} ({self.final.method}, alpha = {self.alpha:g})"
        )

    def _repr_html_(self) -> str:
        return f"{self.table.to_html()}<p>Final: <code>{self.final.formula}</code></p>"


def parsimony(
    results: MixedResults,
    *,
    alpha: float = 0.2,
    keep_intercepts: bool = True,
    progress: bool | Callable[[Row], None] | None = None,
) -> Parsimony:
    """Reduce the random part of a model by likelihood-ratio steps; the fixed part is never touched.

    Parameters
    ----------
    results : MixedResults
        Fit of the maximal model, from a formula. All models are fitted to its rows by its criterion: REML, under which
        models with the same fixed part compare, or ML.
    alpha : float
        Level of the tests. 0.2 balances Type I error and power (Matuschek et al. 2017); it also makes up for
        part of the conservatism of chi-square tests of variances, whose null hypothesis lies on the boundary.
    keep_intercepts : bool
        Whether random intercepts stay whatever their variance: they stand for the sampling of subjects and items.
    progress : bool or callable, optional
        True prints a line per model to stderr; a callable gets each row as a dict.

    Returns
    -------
    Parsimony

    Raises
    ------
    DataError
        The model was made from arrays.
    OptionError
        `alpha` does not lie between 0 and 1.

    Notes
    -----
    1. The maximal model; `rePCA` counts the dimensions that its data support.
    2. All correlations at zero (``||``; columns of a factor separately, so that this step depends on its coding). The
       search goes on from here whatever the test says, because variances are tested best without correlations.
    3. Variances, one effect of one grouping factor at a time, highest interactions first: each is left out in turn,
       and the one whose loss has the largest p-value above `alpha` goes, until there is none.
    4. Correlations again, one grouping factor at a time, where they improve the fit with p of at most `alpha` and the
       model is not singular with them.

    Fixed effects are for the user's theory to choose. Inference after a search is conditional on the model found.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    >>> steps = parsimony(fit)
    >>> steps.table[["step", "npar", "deviance", "p", "chosen"]].round(3)
                    step  npar  deviance      p  chosen
    0            maximal     6  1743.628    NaN    True
    1  zero correlations     5  1743.669  0.839    True
    2      drop variance     4  1786.465  0.000   False
    3   add correlations     6  1743.628  0.839   False
    >>> steps.final.formula
    'Reaction ~ Days + (1 + Days || Subject)'
    """
    if not 0.0 < alpha < 1.0:
        raise OptionError(f"alpha={alpha!r} must lie between 0 and 1; 0.2 is the default, 0.05 keeps fewer effects.")
    design = results.model.design
    if design.encoding is None or design.source is None:
        raise DataError("The model was made from arrays, so its random part has no formula to reduce: fit it from one.")
    start = random_parts(design.encoding)
    check_exact(results)
    trail = _Trail(results, alpha, progress)
    trail.begin(start)
    current = trail.zero_correlations(start)
    current = trail.drop_variances(current, keep_intercepts)
    current = trail.add_correlations(current, start)
    table = pd.DataFrame(trail.rows).astype({"parent": "Int64", "Df": "Int64"})
    return Parsimony(table, results, trail.fit(current), alpha)


@dataclass
class _Trail:
    """Models fitted so far, and their rows."""

    start: MixedResults
    alpha: float
    progress: bool | Callable[[Row], None] | None
    rows: list[Row] = field(default_factory=list)
    at: int = 0
    _fits: dict[str, MixedResults] = field(default_factory=dict)

    def fit(self, parts: Parts) -> MixedResults:
        """Fit the model with the random part `parts`, or take it from those fitted."""
        formula = with_random(self.start.formula, parts)
        if formula not in self._fits:
            from mixedsparse.model import LinearMixedModel

            source = self.start.model.design.source
            assert source is not None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixedSparseWarning)  # the table has it
                model = LinearMixedModel(
                    formula,
                    source.table,
                    weights=source.weights,
                    offset=source.offset,
                    contrasts=_used(source, formula),
                    env=source.env,
                )
                fit = model.fit(self.start.reml)
            if fit.fit.search.stop is Stop.INTERRUPTED:
                raise KeyboardInterrupt  # no step may rest on it
            self._fits[formula] = fit
        return self._fits[formula]

    def begin(self, parts: Parts) -> None:
        """Enter the maximal model."""
        self._fits[with_random(self.start.formula, parts)] = self.start
        self._add("maximal", "", parts, None)
        self.choose(0, "start")

    def zero_correlations(self, parts: Parts) -> Parts:
        """Step 2 of `parsimony`."""
        reduced = tuple(replace(part, correlated=False) if part.width > 1 else part for part in parts)
        if reduced == parts:
            return parts
        row = self._add("zero correlations", "all", reduced, parts)
        small = self.rows[row]["p"] <= self.alpha
        self.choose(row, "correlations matter: tried again below" if small else "no loss")
        return reduced

    def drop_variances(self, parts: Parts, keep_intercepts: bool) -> Parts:
        """Step 3 of `parsimony`."""
        while candidates := reductions(parts, keep_intercepts):
            rows = [self._add("drop variance", change, smaller, parts) for change, smaller in candidates]
            for row in rows:
                needed = self.rows[row]["p"] <= self.alpha
                self.rows[row]["verdict"] = "needed" if needed else "could go, another goes first"
            best = max(rows, key=lambda row: (self.rows[row]["p"], -self.rows[row]["LRT"]))
            if self.rows[best]["p"] <= self.alpha:
                break
            self.choose(best, "no loss")
            parts = candidates[rows.index(best)][1]
        return parts

    def add_correlations(self, parts: Parts, start: Parts) -> Parts:
        """Step 4 of `parsimony`: only terms that had correlations in `start` get them back."""
        while candidates := [i for i, part in enumerate(parts) if _lost_correlations(part, start)]:
            larger = [(*parts[:i], replace(parts[i], correlated=True), *parts[i + 1 :]) for i in candidates]
            groups = [parts[i].group for i in candidates]
            rows = [self._add("add correlations", group, new, parts) for group, new in zip(groups, larger, strict=True)]
            for row in rows:
                small = self.rows[row]["p"] <= self.alpha
                self.rows[row]["verdict"] = "better, but singular" if small else "no gain"
            gains = [r for r in rows if self.rows[r]["p"] <= self.alpha and not self.rows[r]["singular"]]
            if not gains:
                break
            for row in gains:
                self.rows[row]["verdict"] = "better, another goes first"
            best = min(gains, key=lambda row: self.rows[row]["p"])
            self.choose(best, "better")
            parts = larger[rows.index(best)]
        return parts

    def choose(self, row: int, verdict: str) -> None:
        """Go on from a row."""
        self.rows[row] |= {"verdict": verdict, "chosen": True}
        self.at = row

    def _add(self, step: str, change: str, parts: Parts, parent: Parts | None) -> int:
        """Fit a model, enter its row, tested against `parent` (in the row that was chosen last); return its number."""
        fit = self.fit(parts)
        row: Row = {
            "step": step,
            "change": change,
            "formula": fit.formula,
            "parent": None if parent is None else self.at,
            "npar": fit.df_model,
            "deviance": fit.criterion,
            "AIC": fit.aic,
            "BIC": fit.bic,
            "LRT": float("nan"),
            "Df": None,
            "p": float("nan"),
            "dimensions": ", ".join(f"{g} {r}/{k}" for g, (r, k) in random_pca(fit).dimensions.items()),
            "singular": fit.singular,
            "converged": fit.converged,
            "verdict": "",
            "chosen": False,
        }
        if parent is not None:
            small, large = sorted((fit, self.fit(parent)), key=lambda m: m.df_model)
            row |= _lrt(small, large)
        self.rows.append(row)
        if callable(self.progress):
            self.progress(dict(row))
        elif self.progress:
            print(f"{len(self.rows):3d}  {step}: {row['formula']}  {row['deviance']:.3f}", file=sys.stderr, flush=True)
        return len(self.rows) - 1


def _lost_correlations(part: RandomPart, start: Parts) -> bool:
    """Whether the effects of `part` were correlated in the maximal model and are not now."""
    return (
        not part.correlated
        and part.width > 1
        and any(p.correlated and p.group == part.group and set(p.effects) >= set(part.effects) for p in start)
    )


def _lrt(small: MixedResults, large: MixedResults) -> dict[str, float]:
    """Likelihood-ratio test of two fits with the same fixed part."""
    df = large.df_model - small.df_model
    statistic = max(small.criterion - large.criterion, 0.0)
    return {"LRT": statistic, "Df": df, "p": float(chdtrc(df, statistic)) if df else 1.0}


def _used(source: Source, formula: str) -> dict[str, Any] | None:
    """Contrasts of the columns that are still terms of `formula`."""
    if not source.contrasts:
        return None
    terms = factor_columns(formula, source.table, source.env)
    return {column: kind for column, kind in source.contrasts.items() if str(column) in terms} or None
