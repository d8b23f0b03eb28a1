"""What every mixin of `MixedResults` builds on: the two fields, and properties that nobody can change."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.fitted.fitted import Fitted
from mixedsparse.ground.foreign import Answers

if TYPE_CHECKING:
    from typing_extensions import Self

    from mixedsparse.core.fitting.estimates import Fit
    from mixedsparse.fitted.model import Model

__all__ = ["ResultsBase", "parameters_of", "table_property"]


if TYPE_CHECKING:
    table_property = property

else:

    class table_property(property):
        """Property that is computed once; every access gets a shallow copy, so that the results stay as they are."""

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


class ResultsBase(Answers):
    """Fields of `MixedResults`, and the `Fitted` behind them, which the functions of this package take."""

    model: Model
    fit: Fit

    @cached_property
    def _fitted(self) -> Fitted:
        return Fitted(self.model, self.fit)

    @classmethod
    def _of(cls, fitted: Fitted) -> Self:
        """Label a fit."""
        results = cls(fitted.model, fitted.fit)  # type: ignore[call-arg]
        results.__dict__["_fitted"] = fitted
        return results

    def _wrap(self, fitted: Fitted) -> Self:
        """Label a fit that a function of ours made on the way: these results if it is their own."""
        return self if fitted is self._fitted else self._of(fitted)


def parameters_of(value: Any) -> Any:
    """Return what is behind results; anything else as it is."""
    return value._fitted if isinstance(value, ResultsBase) else value
