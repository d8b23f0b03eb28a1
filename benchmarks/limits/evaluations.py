"""Evaluations of the criterion that the search takes on every bundled model, beside what is asked of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.problems.bundled import bundled_models

if TYPE_CHECKING:
    from mixedsparse import MixedResults

__all__ = ["EvaluationRow", "allowed", "count_evaluations"]

# Most evaluations for models without correlations, with up to 20 and with up to 72 covariance parameters, and the
# factor by which a singular optimum may exceed them.
VARIANCE_COMPONENTS = 7
BY_PARAMETERS = ((20, 10), (72, 20))
SINGULAR = 1.5


@dataclass(frozen=True, kw_only=True)
class EvaluationRow:
    """Evaluations of one model.

    Parameters
    ----------
    model : str
    n_theta : int
        Covariance parameters.
    correlated : bool
        Whether any two effects of a level are correlated.
    singular : bool
    evaluations, limit : int
        Taken, and allowed; `limit` is None beyond the sizes that are classified.
    converged : bool
    """

    model: str
    n_theta: int
    correlated: bool
    singular: bool
    evaluations: int
    limit: int | None
    converged: bool

    @property
    def met(self) -> bool:
        """Whether the search converged within the limit."""
        return self.converged and (self.limit is None or self.evaluations <= self.limit)


def allowed(n_theta: int, *, correlated: bool, singular: bool) -> int | None:
    """Evaluations allowed to a model, None where no limit is set."""
    if not correlated:
        limit = VARIANCE_COMPONENTS
    else:
        fitting = [most for parameters, most in BY_PARAMETERS if n_theta <= parameters]
        if not fitting:
            return None
        limit = fitting[0]
    return int(limit * SINGULAR) if singular else limit


def count_evaluations() -> list[EvaluationRow]:
    """Fit all bundled models from the default start."""
    rows = []
    for model in bundled_models():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows.append(_row(model.name, model.make().fit(model.reml)))
    return rows


def _row(name: str, results: MixedResults) -> EvaluationRow:
    layout = results.model.problem.layout
    correlated, singular = not bool(layout.is_diagonal.all()), bool(results.singular)
    return EvaluationRow(
        model=name,
        n_theta=len(results.theta),
        correlated=correlated,
        singular=singular,
        evaluations=results.optim.nfev,
        limit=allowed(len(results.theta), correlated=correlated, singular=singular),
        converged=bool(results.converged),
    )
