"""The cases bootstrap: whole levels of one grouping factor are drawn with replacement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mixedsparse.core.fitting.fit import fit_problem
from mixedsparse.core.problem.edits import on_rows
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.inference.parameters import parameter_values, parameters
from mixedsparse.inference.replicates import Block, Statistic, evaluate

__all__ = ["NewRows", "unit_of"]

_BLOCK = 10


class NewRows:
    """Replicates with rows drawn by levels of a grouping factor: each has cross-products of its own.

    A level that is drawn twice counts as two levels, and so do the levels of factors nested in it; the levels of all
    other factors stay what they are.
    """

    size = _BLOCK

    def __init__(self, fitted: Fitted, group: str | None, statistic: Statistic | None) -> None:
        self.fitted, self.statistic = fitted, statistic
        self.known = parameters(fitted)
        terms = fitted.problem.terms
        for term in terms:
            if not term.is_plain:
                raise OptionError(
                    f"The levels of {term.group!r} cannot be drawn with replacement, since "
                    f"{'rows belong to several' if term.precision is None else 'they are related to one another'}: use "
                    "kind='parametric'."
                )
        self.unit = terms[_unit(terms, group)]
        self.nested = [is_nested(term, self.unit) for term in terms]
        order = np.argsort(self.unit.codes, kind="stable")
        self.rows = np.split(order, np.cumsum(np.bincount(self.unit.codes))[:-1])

    def __call__(self, seeds: Sequence[np.random.SeedSequence]) -> Block:
        """See `Replicator`."""
        width = 0 if self.statistic is None else len(self.statistic.names)
        values = np.full((len(seeds), len(self.known)), np.nan)
        extra = np.full((len(seeds), width), np.nan)
        failures: dict[int, str] = {}
        for i, seed in enumerate(seeds):
            drawn = np.random.default_rng(seed).integers(self.unit.n_levels, size=self.unit.n_levels)
            order: list[int] = []
            again = evaluate(lambda d=drawn, o=order: self._fit(d, o), self.statistic, extra, i, failures)
            if again is not None:
                fit = again.fit
                covariances = [fit.sigma2 * (fit.templates[t] @ fit.templates[t].T)[None] for t in np.argsort(order)]
                values[i] = parameter_values(self.known, fit.beta[None], covariances, np.sqrt([fit.sigma2]))[0]
        values = np.hstack([values, extra])
        values[list(failures)] = np.nan
        return Block(values, failures)

    def _fit(self, drawn: np.ndarray, order: list[int]) -> Fitted:
        """Fit the rows of the levels `drawn`; `order` is filled with the places of its terms among the original's."""
        old, fit = self.fitted.model, self.fitted.fit
        design, problem = old.design, old.problem
        rows = np.concatenate([self.rows[level] for level in drawn])
        copy = np.repeat(np.arange(len(drawn)), [len(self.rows[level]) for level in drawn])
        terms = [
            on_rows(term, rows, copy if nested else None)
            for term, nested in zip(problem.terms, self.nested, strict=True)
        ]
        model = type(old).of_design(
            replace(
                design,
                y=design.y[rows],
                X=design.X[rows],
                terms=tuple(terms),
                weights=None if design.weights is None else design.weights[rows],
                offset=None if design.offset is None else design.offset[rows],
                index=pd.RangeIndex(len(rows)),
            )
        )
        kept = model.problem.basis.kept
        if not np.array_equal(kept, problem.basis.kept):
            lost = [design.x_names[j] for j in problem.basis.kept if j not in kept]
            raise DataError(f"The rows that were drawn cannot tell {', '.join(lost) or 'the coefficients'} apart.")
        order.extend(model.problem.order)
        pieces = [fit.theta[problem.theta_layout.term == t] for t in order]
        found = fit_problem(model.engine(), fit.reml, start=np.concatenate(pieces))
        return Fitted(model, found)


def unit_of(fitted: Fitted) -> RandomTerm:
    """Term whose levels are independent of each other; of several, of the factor with most levels."""
    terms = fitted.problem.terms
    return terms[_unit(terms, None)]


def _unit(terms: Sequence[RandomTerm], group: str | None) -> int:
    """Position of the term whose levels are drawn.

    By default that of the factor with most levels or, where it is nested in another factor, the coarsest such one: only
    its levels are independent of each other.
    """
    if group is not None:
        for t, term in enumerate(terms):
            if term.group == group:
                return t
        known = ", ".join(repr(name) for name in dict.fromkeys(term.group for term in terms))
        raise OptionError(f"group={group!r} is not a grouping factor; use one of {known}.")
    above = [t for t, term in enumerate(terms) if is_nested(terms[0], term)]
    return min(above, key=lambda t: terms[t].n_levels)


def is_nested(inner: RandomTerm, outer: RandomTerm) -> bool:
    """Whether each level of `inner` occurs with one level of `outer` only."""
    if not (inner.is_plain and outer.is_plain):
        return inner is outer
    pairs = np.unique(inner.codes * outer.n_levels + outer.codes)
    return len(pairs) == len(np.unique(inner.codes))
