"""The search from a maximal to a parsimonious random part: the models that were fitted, and the steps between them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import chdtrc

from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.data.formula.centring import centred_parts, same_span
from mixedsparse.data.formula.design import factor_columns
from mixedsparse.data.formula.frames import Table, open_table
from mixedsparse.data.formula.names import candidates
from mixedsparse.data.formula.random_part import RandomPart, enlargements, random_parts, reductions, with_random
from mixedsparse.data.formula.source import Source
from mixedsparse.fitted.fit import fit_model
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.model import Model, read
from mixedsparse.fitted.origins import count_left_out
from mixedsparse.ground.errors import MixedSparseWarning
from mixedsparse.inference.pca import random_pca

__all__ = ["Parts", "Row", "Trail", "likelihood_ratio"]

Parts = tuple[RandomPart, ...]
Row = dict[str, Any]


@dataclass
class Trail:
    """Models fitted so far, and their rows."""

    start: Fitted
    alpha: float
    progress: bool | Callable[[Row], None] | None
    rows: list[Row] = field(default_factory=list)
    at: int = 0
    _parts: list[Parts] = field(default_factory=list)
    _fits: dict[str, Fitted] = field(default_factory=dict)

    def start_parts(self) -> Parts:
        """Random part of the maximal model; its numeric variables are centred where correlations are left out."""
        design = self.start.design
        assert design.encoding is not None
        plain = random_parts(design.encoding)
        columns = [term.z for term in design.terms]
        for names_inside in (True, False):
            parts = centred_parts(design.encoding, columns, names_inside)
            if parts == plain or self._span_what_they_did(parts, columns):
                return parts
        return plain

    def _span_what_they_did(self, centred: Parts, columns: Sequence[np.ndarray]) -> bool:
        """Whether the effects of every term, written `centred`, span the same as `columns` of the maximal model."""
        model = self._model(
            with_random(self.start.model.formula, [replace(part, correlated=False) for part in centred])
        )
        ends = np.cumsum([part.width for part in centred])[:-1]
        both = [np.split(np.hstack(z), ends, axis=1) for z in (columns, [term.z for term in model.design.terms])]
        return all(same_span(one, other) for one, other in zip(*both, strict=True))

    def _model(self, formula: str) -> Model:
        """Model of `formula` for the rows, weights, offset and contrasts of the maximal one."""
        source = self.start.design.source
        assert source is not None
        given = {
            "weights": source.weights,
            "offset": source.offset,
            "contrasts": contrasts_used(source, formula),
            "relations": source.relations,
            "env": source.env,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixedSparseWarning)  # the maximal model has given them
            model = self.read(formula, source.table, given)
        count_left_out(model, self.start.design)
        return model

    def read(self, formula: str, table: Table, given: Mapping[str, Any]) -> Model:
        """Read a model of the same kind; `given` are the arguments of the call that made the maximal one."""
        side = self.start.design.residual
        residual = {} if side is None else {"residual": side.residual, "dispersion": side.dispersion}
        return type(self.start.model).of_design(*read(formula, table, **given, **residual))

    def fit_model(self, model: Model) -> Fitted:
        """Fit a model as the maximal one was."""
        fit = fit_model(model, self.start.reml)
        if fit.fit.search.stop is Stop.INTERRUPTED:
            raise KeyboardInterrupt  # no step may rest on it
        return fit

    def fit(self, parts: Parts) -> Fitted:
        """Fit the model with the random part `parts`, or take it from those fitted."""
        formula = with_random(self.start.model.formula, parts)
        if formula not in self._fits:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixedSparseWarning)  # the table has it
                self._fits[formula] = self.fit_model(self._model(formula))
        return self._fits[formula]

    def begin(self, parts: Parts) -> None:
        """Enter the maximal model."""
        self._fits[with_random(self.start.model.formula, parts)] = self.start
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

    def enlarge(self, parts: Parts, start: Parts) -> Parts:
        """Step 4 of `parsimony`."""
        while ways := enlargements(parts, start):
            rows = [self._add(step, change, larger, parts) for step, change, larger in ways]
            # Effects that went were not needed alone: of the many that are tried again, one looks needed by chance.
            restored = [row for row, (step, _, _) in zip(rows, ways, strict=True) if step == "restore effect"]
            count = {row: len(restored) if row in restored else 1 for row in rows}
            gains = [row for row in rows if self.rows[row]["p"] * count[row] <= self.alpha]
            for row in rows:
                self.rows[row]["verdict"] = "better, but singular" if row in gains else "no gain"
            gains = [row for row in gains if not self.rows[row]["singular"]]
            if not gains:
                break
            for row in gains:
                self.rows[row]["verdict"] = "better, another goes first"
            best = min(gains, key=lambda row: self.rows[row]["p"])
            self.choose(best, "better")
            parts = ways[rows.index(best)][2]
        return parts

    def return_until_kept(self, parts: Parts, start: Parts) -> Parts:
        """Step 5 of `parsimony`."""
        while self._is_rejected(parts) and (ways := enlargements(parts, start)):
            rows = [self._row_of(step, change, larger, parts) for step, change, larger in ways]
            for row in rows:
                self.rows[row]["verdict"] = "another goes first"
            best = min(rows, key=self._urgency)
            self.choose(best, "needed: without it the maximal model is better")
            parts = ways[rows.index(best)][2]
        return parts

    def _urgency(self, row: int) -> tuple[bool, bool, float]:
        """Order in which models come back: those that fit better by their own test first, regular before singular."""
        p = self.rows[row]["p"]
        return p > self.alpha, self.rows[row]["singular"], p

    def _is_rejected(self, parts: Parts) -> bool:
        return likelihood_ratio(self.fit(parts), self.start)["p"] <= self.alpha

    def _row_of(self, step: str, change: str, parts: Parts, parent: Parts) -> int:
        """Row of a model tested against `parent`: the one that there is, or a new one."""
        known = [i for i, row in enumerate(self.rows) if self._parts[i] == parts and row["parent"] == self.at]
        return known[-1] if known else self._add(step, change, parts, parent)

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
            "formula": fit.model.formula,
            "parent": None if parent is None else self.at,
            "npar": fit.npar,
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
            small, large = sorted((fit, self.fit(parent)), key=lambda m: m.npar)
            row |= likelihood_ratio(small, large)
        self.rows.append(row)
        self._parts.append(parts)
        if callable(self.progress):
            self.progress(dict(row))
        elif self.progress:
            print(f"{len(self.rows):3d}  {step}: {row['formula']}  {row['deviance']:.3f}", file=sys.stderr, flush=True)
        return len(self.rows) - 1


def likelihood_ratio(small: Fitted, large: Fitted) -> dict[str, float]:
    """Likelihood-ratio test of two fits with the same fixed part."""
    df = large.npar - small.npar
    statistic = max(small.criterion - large.criterion, 0.0)
    return {"LRT": statistic, "Df": df, "p": float(chdtrc(df, statistic)) if df else 1.0}


def contrasts_used(
    source: Source, formula: str, table: Any = None, env: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """Contrasts of the columns that are still terms of `formula`, read for the rows of `source` or another table."""
    if not source.contrasts:
        return None
    if isinstance(table, str):  # a file, whose columns are read later
        return {column: kind for column, kind in source.contrasts.items() if str(column) in candidates(formula)} or None
    rows, names = open_table(source.table if table is None else table), source.env if env is None else env
    terms = factor_columns(formula, rows, names)
    return {column: kind for column, kind in source.contrasts.items() if str(column) in terms} or None
