"""Fits without the rows of the data: what prediction, tests and the summary need, and no observation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.core.fitting.laplace.modes import motion_of_zeta
from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.core.problem.edits import sums_only
from mixedsparse.core.problem.sparse_basis import sparse_root
from mixedsparse.core.problem.sparse_columns import SparseColumns
from mixedsparse.core.problem.sparse_products import together
from mixedsparse.core.problem.sums import PlainSums
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula.source import Source
from mixedsparse.data.formula.translate import aliases_in
from mixedsparse.data.sources.remote import RemoteSource, moments_of
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.inference.labels import residual_quantiles

if TYPE_CHECKING:
    from mixedsparse.core.fitting.laplace import GeneralizedFit
    from mixedsparse.data.formula.design import Design

__all__ = ["without_rows"]


def without_rows(fitted: Fitted) -> Fitted:
    """Fit like one to a source: sums over levels are there, rows are not."""
    design, problem = fitted.design, fitted.problem
    if not problem.has_rows:
        return _without_patterns(fitted) if design.patterns is not None else fitted
    if not isinstance(fitted, GeneralizedFitted):
        fitted.needs_plain("A file without the data", "Save with data=True.")
    terms = tuple(RandomTerm.without_rows(t.group, t.columns, t.levels, t.precision) for t in design.terms)
    quantiles = residual_quantiles(fitted).to_numpy()
    trials = fitted.model.several_trials if isinstance(fitted, GeneralizedFitted) else None
    slim = _design(design, terms, quantiles, trials), sums_only(problem, [terms[i] for i in problem.order])
    if isinstance(fitted, GeneralizedFitted):
        model = type(fitted.model).of_family(slim[0], fitted.family, slim[1])
        return GeneralizedFitted(model, _generalized(fitted.fit, terms))
    return Fitted(type(fitted.model).of_design(*slim), fitted.fit)


def _without_patterns(fitted: Fitted) -> Fitted:
    """Leave out the rows that differ, of a generalized fit to a source."""
    assert isinstance(fitted, GeneralizedFitted)
    model = type(fitted.model).of_family(replace(fitted.design, patterns=None), fitted.family, fitted.problem)
    return GeneralizedFitted(model, _generalized(fitted.fit, fitted.design.terms))


def _generalized(fit: GeneralizedFit, terms: tuple[RandomTerm, ...]) -> GeneralizedFit:
    """Leave the rows out, and keep the sums over levels with the weights of the end of the search."""
    data = replace(fit.data, y=ELSEWHERE, m=ELSEWHERE, offset=ELSEWHERE, kept=None)
    point = fit.point
    if point is not None:
        mode = replace(
            point.mode,
            data=data,
            eta=ELSEWHERE,
            terms=ELSEWHERE,
            made=None,
            sums=sums_only(point.mode.engine.problem, [terms[i] for i in fit.data.problem.order]),
            motion=motion_of_zeta(fit),
        )
        point = replace(point, mode=mode)
    return replace(fit, eta=ELSEWHERE, data=data, point=point)


def _design(design: Design, terms: tuple[RandomTerm, ...], quantiles: np.ndarray, trials: int | None) -> Design:
    moments = tuple(term.moment for term in design.terms)
    plain = PlainSums(_root_with_means(design), moments, quantiles, trials)
    return replace(
        design,
        y=ELSEWHERE,
        X=ELSEWHERE,
        terms=terms,
        weights=None if design.weights is None else ELSEWHERE,
        offset=None if design.offset is None else ELSEWHERE,
        trials=None if design.trials is None else ELSEWHERE,
        index=ELSEWHERE,
        source=None if design.source is None else _source(design, design.source),
        plain=plain,
    )


def _source(design: Design, source: Source) -> RemoteSource:
    """Means and ranges of numbers, and levels, of the columns that reference grids are made of."""
    assert design.encoding is not None
    parsed = design.encoding.parsed
    texts = [parsed.fixed.text, *(offset.code for offset in parsed.offsets)]
    names = [parsed.names[alias] for text in texts for alias in aliases_in(text)]
    by_name = source.offset if isinstance(source.offset, str) else None
    coded = {parsed.names[alias] for alias in design.encoding.fixed.codings}
    weights = source.weights if isinstance(source.weights, str) else None
    wanted = dict.fromkeys(names if by_name is None else [*names, by_name])
    return RemoteSource(
        summaries={name: source.summary(name, name in coded) for name in wanted},
        weights=weights,
        offset=by_name,
        contrasts=source.contrasts,
        env=source.env,
        location=None,
        fingerprint=_fingerprint(design),
        binary=set(np.unique(design.y)) == {0.0, 1.0},
    )


def _fingerprint(design: Design) -> tuple[float, ...]:
    """Moments of the response and of the weights or trials, as those of a source."""
    values: list[Any] = [design.y]
    if design.weights is not None:
        values += [design.weights, np.log(design.weights)]
    return moments_of(values if design.trials is None else [*values, design.trials])


def _root_with_means(design: Design) -> np.ndarray:
    """Root of X'X, (r, P), whose first row holds the means of the columns, intercept or not; see `PlainSums`."""
    X = design.X
    if X.shape[1] and not design.observed.varying(np.array([0]))[0]:
        return design.observed.x_root  # the first column is the intercept: its row of the root is that of the means
    ones = np.ones((len(X), 1))
    if isinstance(X, SparseColumns):
        return sparse_root(together([SparseColumns(ones), X]))[:, 1:]
    return np.asarray(np.linalg.qr(np.column_stack([ones, X]), mode="r"))[:, 1:]
