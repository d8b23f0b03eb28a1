"""What every mixin of `MixedResults` builds on: the two fields, and properties that nobody can change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import BackendError
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    from mixedsparse.api.model import LinearMixedModel
    from mixedsparse.core.fitting.fit import Fit
    from mixedsparse.core.problem.problem import Problem

__all__ = ["ResultsBase", "read_only", "table_property"]


class table_property(property):
    """Property that is computed once; every access gets its own shallow copy, so that the results stay as they are."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.slot = f"_{name}"

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        if self.slot not in instance.__dict__:
            assert self.fget is not None
            instance.__dict__[self.slot] = self.fget(instance)
        return _shallow_copy(instance.__dict__[self.slot])


def _shallow_copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shallow_copy(item) for key, item in value.items()}
    # Frames stand on read-only arrays: without copy-on-write (pandas 2) a write into the copy raises.
    return value.copy(deep=False) if isinstance(value, pd.Series | pd.DataFrame) else value


def read_only(array: np.ndarray) -> np.ndarray:
    """View of `array` that cannot be written to."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


class ResultsBase(Answers):
    """Fields of `MixedResults`, and what several topics need of them."""

    model: LinearMixedModel
    fit: Fit

    @property
    def _problem(self) -> Problem:
        return self.model.problem

    @cached_property
    def _terms_of(self) -> dict[str, list[int]]:
        """Grouping factor -> its terms, by position in theta order (formula order within a factor)."""
        out: dict[str, list[int]] = {}
        for position, term in enumerate(self._problem.terms):
            out.setdefault(term.group, []).append(position)
        return out

    def _needs_factor(self, what: str, instead: str = "") -> None:
        """Refuse `what` after an iterative fit; `instead` says what there is."""
        if self.fit.monte_carlo is not None:
            mend = f"{instead}, or fit" if instead else "Fit"
            raise BackendError(
                f"{what} needs a factor of the whole system, which an iterative fit does without. {mend} with "
                "method='direct' if the model's cost() leaves room for that."
            )

    @cached_property
    def _cov_beta(self) -> np.ndarray:
        """Covariance (p, p) of the coefficients; NaN where it hangs on parameters that are not identified."""
        cov, loose = self.fit.cov_beta, self.fit.unidentified
        return cov if loose is None else loose.settled(cov)

    def _effects_of(self, group: str) -> list[str]:
        """Names of the random effects of one grouping factor, its terms side by side."""
        return [name for t in self._terms_of[group] for name in self._problem.terms[t].columns]

    @property
    def _weights(self) -> np.ndarray | None:
        """Prior weights (n,), or None when all are 1."""
        root = self._problem.root_weights
        return None if root is None else root**2
