"""formulaic's evaluation of a side, with our own rule of what is a factor and what a number.

formulaic takes truth values for numbers, dates for numbers or factors, and a level that a function left missing for a
row of zeros.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.pandas import PandasMaterializer, override  # type: ignore[attr-defined]
from formulaic.materializers.types import FactorValues
from formulaic.parser.types import Factor
from pandas.api.extensions import ExtensionArray

from mixedsparse.data.formula.arithmetic import check_sums, holds_truth
from mixedsparse.data.formula.frames import missing_rows, natural, take
from mixedsparse.data.formula.kinds import is_factor, numbers
from mixedsparse.data.formula.translate import restore
from mixedsparse.ground.errors import DataError

__all__ = ["Materializer"]


class Materializer(PandasMaterializer):
    """Encodes what expressions give by `mixedsparse.data.formula.kinds`.

    Attributes
    ----------
    names : Mapping
        User's name of each alias, for messages.
    """

    names: Mapping[str, str]

    @override
    def _evaluate(self, expr: str, metadata: Any, spec: Any) -> tuple[Any, Any]:
        check_sums(expr, self.names, lambda name: holds_truth(self.layered_context.get(name)))
        values, variables = super()._evaluate(expr, metadata, spec)
        label = f"The term {restore(expr, self.names)!r}"
        if isinstance(values, FactorValues):  # a basis of several columns, or what C(...) made
            if values.__formulaic_metadata__.kind is Factor.Kind.CATEGORICAL:
                _complete(values.__wrapped__, label)
            return values, variables
        if not isinstance(values, (pd.Series, pd.Categorical, np.ndarray, ExtensionArray)) or values.ndim != 1:
            return values, variables
        kind = spec.encoder_state[expr][0] if expr in spec.encoder_state else None
        return _typed(values, label, kind), variables


def _typed(values: Any, label: str, fitted: Factor.Kind | None) -> FactorValues:
    """Numbers, or levels that formulaic encodes by treatment contrasts; in new rows as they were `fitted`."""
    array, missing = _missing(values)
    plain = natural(take(array, None if missing is None else ~missing))
    if array.dtype == np.float16:  # no column comes in so few digits: NumPy takes them for a function of truth values
        raise DataError(f"{label} is a function of truth values: make numbers of them first, as in 'where(b, 1, 0)'.")
    if not (is_factor(plain, label) if fitted is None else fitted is Factor.Kind.CATEGORICAL):
        # What is missing here is NaN, which is refused where all terms are.
        found = numbers(plain, label) if missing is None else array
        return FactorValues(found, kind="numerical", spans_intercept=False)
    _complete(array, label)
    return FactorValues(plain, kind="categorical", spans_intercept=True)


def _missing(values: Any) -> tuple[Any, np.ndarray | None]:
    """Array of `values`, and which of them are missing."""
    array = pd.Series(values).array
    array = np.asarray(array) if isinstance(array, pd.arrays.NumpyExtensionArray) else array
    return array, missing_rows(array)


def _complete(values: Any, label: str) -> None:
    """Refuse levels that an expression left missing: formulaic would encode them as zeros."""
    _, missing = _missing(values)
    if missing is not None:
        raise DataError(
            f"{label} is missing in {int(missing.sum())} of {len(missing)} rows: remove these rows first, or give them "
            "a level."
        )
