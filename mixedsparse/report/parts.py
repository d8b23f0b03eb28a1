"""Results to the parts of a report: facts, tables of cells, notes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.inference.residual_parameters import residual_params
from mixedsparse.report import numbers
from mixedsparse.report.degrees import WORDS
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
    "notes_of_order",
    "quantile_table",
    "random_table",
    "sizes_of",
    "terms_of",
]

# Column of the Monte-Carlo error beside the standard error, after an iterative fit.
_MC = "MC error"
_RATIO_DIGITS = 4
# Residual correlations that a summary names; `residual_params` has them all.
_MOST_CORRELATIONS = 6


def facts(fitted: Fitted) -> dict[str, str]:
    """Return the formula and the sizes."""
    n = int(fitted.design.nmissing)
    left_out = f" ({n} row{'s' * (n > 1)} with missing values left out)" if n else ""
    found = {"Formula": fitted.model.formula, "Observations": f"{fitted.nobs}{left_out}"}
    groups = ", ".join(f"{group} {levels}" for group, levels in sizes_of(fitted).items())
    side = fitted.design.residual
    if groups or side is None:
        found["Groups"] = groups
    if side is not None:
        found["Residuals"] = side.text + correlations_of(fitted)
    return found


def sizes_of(fitted: Fitted) -> dict[str, int]:
    """Count the levels of each grouping factor, of the random effects and then of ``residual=``."""
    side = fitted.design.residual
    within = {} if side is None or side.groups is None else {side.group: len(side.groups)}
    return fitted.ngroups | {group: levels for group, levels in within.items() if group not in fitted.ngroups}


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
    columns = (coefficients[name].tolist() for name in ("Estimate", "SE", "df", "t", "p"))
    for name, beta, se, df, t, p in zip(coefficients.index, *columns, strict=True):
        rows.append((str(name), *numbers.estimate(beta, se), numbers.degrees(df), f"{t:.3f}", numbers.p_value(p)))
    header = ["Name", "Estimate", "Std. Error", "df", "t", "p"]
    if _MC in coefficients:
        header.insert(3, _MC)
        rows = [(*row[:3], f"{mc:.1g}", *row[3:]) for row, mc in zip(rows, coefficients[_MC], strict=True)]
    return Table.of("Fixed effects", header, rows)


def _normal_table(coefficients: pd.DataFrame) -> Table:
    rows = []
    columns = (coefficients[name].tolist() for name in ("Estimate", "SE", "z", "p"))
    for name, beta, se, z, p in zip(coefficients.index, *columns, strict=True):
        rows.append([str(name), *numbers.estimate(beta, se), f"{z:.3f}", numbers.p_value(p)])
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
    # As lists: choosing rows of a frame takes longer than the rest of a summary.
    rows = list(zip(*(varcorr[name].tolist() for name in ("grp", "var1", "var2", "vcov", "sdcor")), strict=True))
    # The residual stands last, even if a grouping factor has that name.
    count = varcorr.attrs.get("residual", sum(not isinstance(row[1], str) for row in rows))
    parts: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows[: len(rows) - count]:
        parts.setdefault(str(row[0]), []).append(row)
    terms = [_term(group, part) for group, part in parts.items()]
    return terms + ([_term(str(rows[-1][0]), rows[-count:])] if count else [])


def _term(group: str, rows: list[tuple[Any, ...]]) -> Term:
    """One term from its rows: variances first, then the correlations below the diagonal, column by column."""
    own = [row for row in rows if not isinstance(row[2], str)]
    products = [row for row in rows if isinstance(row[2], str)]
    below = [(row, col) for col in range(len(own)) for row in range(col + 1, len(own))] if products else []
    return Term(
        group=group,
        names=tuple(row[1] if isinstance(row[1], str) else "" for row in own),
        variances=tuple(row[3] for row in own),
        deviations=tuple(row[4] for row in own),
        correlations=dict(zip(below, (row[4] for row in products), strict=True)),
    )


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
        out.append(f"p-values: two-sided, {WORDS[ddf].note}.")
    if fitted.dropped_columns:
        dropped = ", ".join(fitted.dropped_columns)
        out.append(f"Dropped columns (linear combinations of earlier ones): {dropped}.")
    return [*out, *notes_of_order(fitted), *notes_of_probes(fitted), fitted.fit.certificate.message]


def notes_of_order(fitted: Fitted) -> list[str]:
    """Tell of ordered categories whose order the coding does not use, which R's polynomials would."""
    encoding = fitted.design.encoding
    codings = {} if encoding is None else encoding.fixed.codings
    ordered = sorted(encoding.parsed.names[alias] for alias, coding in codings.items() if coding.ordered)
    if not ordered:
        return []
    are, their = ("is", "its") if len(ordered) == 1 else ("are", "their")
    wanted = ", ".join(f"{name!r}: 'poly'" for name in ordered)
    return [
        f"{', '.join(ordered)} {are} ordered; {their} levels are compared with the first one all the same, as those of "
        f"any factor: for R's polynomials write contrasts={{{wanted}}}."
    ]


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
