"""Results to the parts of a report: facts, tables of cells, notes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.inference.residual_parameters import residual_params
from mixedsparse.report import numbers
from mixedsparse.report.table import Table

if TYPE_CHECKING:
    from mixedsparse.core.fitting.estimates import MonteCarlo
    from mixedsparse.fitted.fitted import Fitted

__all__ = [
    "Term",
    "correlation_tables",
    "criteria_table",
    "facts",
    "fixed_table",
    "notes",
    "quantile_table",
    "random_table",
    "terms_of",
]

# Column of the Monte-Carlo error beside the standard error, after an iterative fit.
_MC = "MC error"
_RATIO_DIGITS = 4
# Residual correlations that a summary names; `residual_params` has them all.
_MOST_CORRELATIONS = 6

_REFERENCE = {
    "satterthwaite": "t with Satterthwaite's degrees of freedom",
    "kenward-roger": "t with Kenward-Roger's standard errors and degrees of freedom",
    "normal": "normal reference distribution",
}


def facts(fitted: Fitted) -> dict[str, str]:
    """Return the formula and the sizes."""
    n = int(fitted.design.nmissing)
    left_out = f" ({n} row{'s' * (n > 1)} with missing values left out)" if n else ""
    found = {"Formula": fitted.model.formula, "Observations": f"{fitted.nobs}{left_out}"}
    groups = ", ".join(f"{group} {levels}" for group, levels in fitted.ngroups.items())
    side = fitted.design.residual
    if groups or side is None:
        found["Groups"] = groups
    if side is not None:
        found["Residuals"] = side.text + correlations_of(fitted)
    return found


def correlations_of(fitted: Fitted) -> str:
    """Residual correlations, where there are a few, and the coefficients of log variance, in brackets."""
    table = residual_params(fitted)
    rows = table[table["parameter"].str.startswith(("cor", "log variance"))]
    if not 0 < len(rows) <= _MOST_CORRELATIONS:
        return ""
    return f" ({', '.join(f'{r.parameter} {r.estimate:.3f}' for r in rows.itertuples())})"


def criteria_table(criteria: pd.Series) -> Table:
    """Criterion, log-likelihood and information criteria, one row."""
    return Table.of("", criteria.index, [[f"{value:.2f}" for value in criteria]], labels=0)


def quantile_table(quantiles: pd.Series) -> Table:
    """Quantiles of the scaled residuals, one row."""
    return Table.of("Scaled residuals", quantiles.index, [[f"{value:.4f}" for value in quantiles]], labels=0)


def fixed_table(coefficients: pd.DataFrame) -> Table:
    """Lay out the fixed effects, a row per coefficient."""
    if "z" in coefficients:
        return _normal_table(coefficients)
    rows = []
    for row in coefficients.itertuples():
        value, error = numbers.estimate(row.Estimate, row.SE)
        rows.append((str(row.Index), value, error, numbers.degrees(row.df), f"{row.t:.3f}", numbers.p_value(row.p)))
    header = ["Name", "Estimate", "Std. Error", "df", "t", "p"]
    if _MC in coefficients:
        header.insert(3, _MC)
        rows = [(*row[:3], f"{mc:.1g}", *row[3:]) for row, mc in zip(rows, coefficients[_MC], strict=True)]
    return Table.of("Fixed effects", header, rows)


def _normal_table(coefficients: pd.DataFrame) -> Table:
    rows = []
    for row in coefficients.itertuples():
        value, error = numbers.estimate(row.Estimate, row.SE)
        rows.append([str(row.Index), value, error, f"{row.z:.3f}", numbers.p_value(row.p)])
    ratios = coefficients.columns[4:]  # with limits, where they were asked for
    for name in ratios:
        for cells, value in zip(rows, coefficients[name], strict=True):
            cells.append(numbers.significant(value, _RATIO_DIGITS))
    return Table.of("Fixed effects", ["Name", "Estimate", "Std. Error", "z", "p", *ratios], rows)


@dataclass(frozen=True, slots=True)
class Term:
    """One random-effects term as printed: variances and standard deviations (k), correlations below the diagonal."""

    group: str
    names: tuple[str, ...]
    variances: tuple[float, ...]
    deviations: tuple[float, ...]
    correlations: dict[tuple[int, int], float]

    def row_of_correlations(self, row: int, start: int, stop: int) -> list[str]:
        """Cells of the correlations of effect `row` with the effects `start` .. `stop` - 1."""
        return [numbers.correlation(self.correlations.get((row, col))) for col in range(start, stop)]


def terms_of(varcorr: pd.DataFrame) -> list[Term]:
    """Terms of the table that `MixedResults.varcorr` returns, the residual last."""
    terms = []
    # The residual stands last, even if a grouping factor has that name.
    count = varcorr.attrs.get("residual", int(varcorr["var1"].isna().sum()))
    residual = varcorr.iloc[len(varcorr) - count :]
    for group, part in varcorr.iloc[: len(varcorr) - count].groupby("grp", sort=False):
        own = part["var2"].isna()
        names = part.loc[own, "var1"]
        below = zip(*np.triu_indices(len(names), 1), strict=True)
        terms.append(
            Term(
                group=str(group),
                names=tuple(names),
                variances=tuple(part.loc[own, "vcov"]),
                deviations=tuple(part.loc[own, "sdcor"]),
                correlations={(row, col): r for (col, row), r in zip(below, part.loc[~own, "sdcor"], strict=True)},
            )
        )
    if len(residual):
        names = tuple("" if pd.isna(name) else str(name) for name in residual["var1"])
        terms.append(Term(str(residual["grp"].iloc[0]), names, tuple(residual["vcov"]), tuple(residual["sdcor"]), {}))
    return terms


def random_table(terms: list[Term], correlations: bool) -> Table:
    """Variances and standard deviations, with or without the correlations beside them."""
    extra = max(len(t.names) if t.correlations else 1 for t in terms) - 1 if correlations else 0
    rows = []
    for term in terms:
        for i, name in enumerate(term.names):
            cells = [term.group if i == 0 else "", name]
            cells += [numbers.significant(term.variances[i]), numbers.significant(term.deviations[i])]
            rows.append(cells + term.row_of_correlations(i, 0, extra))
    header = ["Groups", "Name", "Variance", "Std.Dev."] + ["Corr", *[""] * (extra - 1)] * (extra > 0)
    return Table.of("Random effects", header, rows, labels=2)


def correlation_tables(term: Term, per_table: int) -> list[Table]:
    """Correlations of one term, at most `per_table` columns each; columns carry the numbers of the effects."""
    if not term.correlations:
        return []
    k = len(term.names)
    # As many columns in each table, so that none is left with a last one.
    per_table = math.ceil((k - 1) / math.ceil((k - 1) / per_table))
    tables = []
    for start in range(0, k - 1, per_table):
        stop = min(start + per_table, k - 1)
        rows = [[str(i + 1), term.names[i], *term.row_of_correlations(i, start, stop)] for i in range(start, k)]
        caption = f"Correlations of {term.group}" + " (continued)" * (start > 0)
        tables.append(Table.of(caption, ["", "Name", *map(str, range(start + 1, stop + 1))], rows, labels=2))
    return tables


def notes(fitted: Fitted, ddf: str) -> list[str]:
    """Sentences below the tables; the verdict last."""
    out = []
    if len(fitted.fit.beta):
        out.append(f"p-values: two-sided, {_REFERENCE[ddf]}.")
    if fitted.dropped_columns:
        dropped = ", ".join(fitted.dropped_columns)
        out.append(f"Dropped columns (linear combinations of earlier ones): {dropped}.")
    return [*out, *notes_of_probes(fitted), fitted.fit.certificate.message]


def notes_of_probes(fitted: Fitted) -> list[str]:
    """Why a fit is iterative, and its errors; nothing after a direct one."""
    if fitted.fit.monte_carlo is None:
        return []
    foreseen = fitted.model.engines.cost
    suits = foreseen is not None and foreseen.method == "iterative"
    reason = [f"Iterative method, as it suits: {foreseen.reason}"] if suits and foreseen is not None else []
    return [*reason, _accuracy(fitted.fit.monte_carlo)]


def _accuracy(mc: MonteCarlo) -> str:
    """Errors of an iterative fit as a sentence."""
    criterion = "" if math.isnan(mc.criterion_error) else f"; of log L: {0.5 * mc.criterion_error:.2g}"
    return (
        f"Monte-Carlo error of the iterative method ({mc.probes} probes, seed {mc.seed}): at most "
        f"{100.0 * mc.share:.2g} % of the standard error of any estimate{criterion}."
    )
