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

from mixedsparse.inference.denominators import Denominator
from mixedsparse.inference.priors import Prior, prior_of
from mixedsparse.prediction.residual_variances import log_slopes
from mixedsparse.prediction.rows import Rows

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["limits_of_unknown", "without_known_levels"]


def without_known_levels(fitted: Fitted, rows: Rows, groups: Collection[str]) -> np.ndarray:
    """Mask (r,) of the rows to which no conditional mode of `groups` is added."""
    out = np.ones(rows.n, dtype=bool)
    for term, new in zip(fitted.problem.terms, rows.terms, strict=True):
        if term.group in groups:
            assert new is not None
            out &= new.codes < 0
    return out


def limits_of_unknown(
    fitted: Fitted, rows: Rows, which: np.ndarray, noise: np.ndarray, method: Denominator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and degrees of freedom (s,) of the rows `which`, all levels unknown; `noise` (s,) over sigma^2."""
    X = np.nan_to_num(rows.X[which])
    prior = _prior(fitted, rows, which, noise)
    variance = prior.variance + np.einsum("rp,pq,rq->r", X, method.cov, X)
    mean = X @ method.beta + (0.0 if rows.offset is None else rows.offset[which])
    return mean, variance, method.total(X, prior)


def _prior(fitted: Fitted, rows: Rows, which: np.ndarray, noise: np.ndarray) -> Prior:
    """Prior variance of the random effects that `rows` have, and of the residual."""
    problem = fitted.problem
    layout = problem.layout
    z = [np.zeros((len(noise), width)) for width in layout.widths]
    for t, (term, new) in enumerate(zip(problem.terms, rows.terms, strict=True)):
        if new is not None:
            start = layout.term_start[t]
            known = np.nan_to_num(new.z[which])
            z[layout.term_block[t]][:, start : start + term.k] = solve_triangular(
                layout.whiten[t], known.T, lower=True, trans="T"
            ).T
    prior = prior_of(layout, fitted.fit.search.pls.lams, fitted.sigma2, z, noise)
    if fitted.fit.residual is None:
        return prior
    moved = fitted.sigma2 * noise[:, None] * log_slopes(fitted, rows.table)[which]
    return replace(prior, by_entry=np.hstack([prior.by_entry, moved]))
