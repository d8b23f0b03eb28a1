"""Rows of which no level is known: population means and new levels, whose variances have degrees of freedom.

With known levels the variance is that of an error of prediction. Its derivative is that at fixed weights, since these
make it least: w'(dSigma)w, w what the error takes of each random effect, for which every row would need a solution of
the whole system. Simulated on dense matrices, such degrees of freedom mend about half of what normal quantiles lack in
small designs; the rest is the error of the weights themselves (Kackar & Harville 1984, JASA 79, 853-862).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import solve_triangular

from mixedsparse.core.problem.forms import quadratic_forms
from mixedsparse.core.problem.slots import per_slot
from mixedsparse.core.problem.terms import RandomTerm
from mixedsparse.data.formula.newdata import NewTerm
from mixedsparse.ground.errors import BackendError
from mixedsparse.inference.denominators import Denominator
from mixedsparse.inference.priors import Prior, prior_of
from mixedsparse.prediction.residual_variances import log_slopes
from mixedsparse.prediction.rows import Rows, dense_rows

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["limits_of_unknown", "without_known_levels"]


def without_known_levels(fitted: Fitted, rows: Rows, groups: Collection[str]) -> np.ndarray:
    """Mask (r,) of the rows to which no conditional mode of `groups` is added."""
    out = np.ones(rows.n, dtype=bool)
    for term, new in zip(fitted.problem.terms, rows.terms, strict=True):
        if term.group in groups:
            assert new is not None
            out &= new.codes < 0 if new.codes.ndim == 1 else (new.codes < 0).all(axis=1)
    return out


def limits_of_unknown(
    fitted: Fitted, rows: Rows, which: np.ndarray, noise: np.ndarray, method: Denominator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and degrees of freedom (s,) of the rows `which`, all levels unknown; `noise` (s,) over sigma^2."""
    X = np.nan_to_num(dense_rows(rows.X[which]))
    prior = _prior(fitted, rows, which, noise)
    variance = prior.variance + quadratic_forms(X, method.cov)
    mean = X @ method.beta + (0.0 if rows.offset is None else rows.offset[which])
    return mean, variance, method.total(X, prior)


def _prior(fitted: Fitted, rows: Rows, which: np.ndarray, noise: np.ndarray) -> Prior:
    """Prior variance of the random effects that `rows` have, and of the residual."""
    problem = fitted.problem
    layout = problem.layout
    counts = [1 if new is None or new.codes.ndim == 1 else new.codes.shape[1] for new in rows.terms]
    slots = max(counts, default=1)
    every = [[np.zeros((len(noise), width)) for width in layout.widths] for _ in range(slots)]
    for t, (term, new) in enumerate(zip(problem.terms, rows.terms, strict=True)):
        if new is None:
            continue
        start = layout.term_start[t]
        for z, known in zip(every, _independent(term, new, which), strict=False):
            z[layout.term_block[t]][:, start : start + term.k] = solve_triangular(
                layout.whiten[t], known.T, lower=True, trans="T"
            ).T
    lams = fitted.fit.search.pls.lams
    parts = [prior_of(layout, lams, fitted.sigma2, z, noise if i == 0 else 0.0 * noise) for i, z in enumerate(every)]
    prior = Prior(*(sum(getattr(part, name) for part in parts) for name in ("variance", "by_entry")))
    if fitted.fit.residual is None:
        return prior
    moved = fitted.sigma2 * noise[:, None] * log_slopes(fitted, rows.table)[which]
    return replace(prior, by_entry=np.hstack([prior.by_entry, moved]))


def _independent(term: RandomTerm, new: NewTerm, which: np.ndarray) -> list[np.ndarray]:
    """Bases (s, k) of the rows `which` in each slot, as if levels of different slots were independent, of variance 1.

    Raises
    ------
    BackendError
        Levels of one row are related to one another.
    """
    slots = [(codes, np.nan_to_num(z)) for codes, z in per_slot(new.codes[which], new.z[which])]
    if term.precision is not None:
        if len(slots) > 1:
            raise BackendError(
                f"Intervals of rows with several related levels of {term.group!r} have no degrees of freedom here: use "
                "ddf='normal'."
            )
        (codes, z), known = slots[0], term.precision.diagonal
        return [z * np.sqrt(np.where(codes < 0, 1.0, known[np.maximum(codes, 0)]))[:, None]]
    out = [z for _, z in slots]
    for c, (codes, _) in enumerate(slots):
        for d in range(c):
            same = ((codes == slots[d][0]) & (codes >= 0))[:, None]
            out[d], out[c] = out[d] + np.where(same, out[c], 0.0), np.where(same, 0.0, out[c])
    return out
