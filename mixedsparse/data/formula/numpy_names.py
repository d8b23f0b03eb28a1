"""What of NumPy a formula may use: functions of arrays, and constants; nothing that reads, writes or runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from mixedsparse.data.formula.names import tokenise
from mixedsparse.ground.checks import did_you_mean
from mixedsparse.ground.errors import FormulaError

__all__ = ["check_attributes"]

# Besides ufuncs and scalar types, whose names NumPy itself tells.
_FUNCTIONS = (
    "abs all amax amin angle any arange argsort around array asarray astype atleast_1d average bincount cbrt choose "
    "clip column_stack concatenate convolve corrcoef cov cumprod cumsum diff digitize dot ediff1d fix flip full "
    "full_like gradient hstack i0 imag in1d inner interp isclose isin isreal kron linspace max mean median min "
    "nan_to_num nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum "
    "nanvar ndim ones ones_like outer percentile piecewise polyval prod ptp quantile ravel real repeat reshape roll "
    "round searchsorted select shape sinc size sort squeeze stack std sum take tile transpose unique unwrap vander var "
    "vstack where zeros zeros_like"
)
_CONSTANTS = "e euler_gamma inf nan newaxis pi"
_KNOWN = frozenset(f"{_FUNCTIONS} {_CONSTANTS}".split())
_METHODS_OF_UFUNCS = frozenset({"accumulate"})


def check_attributes(formula: str, columns: Collection[str], outer: Mapping[str, Any]) -> None:
    """Refuse attributes that a formula has no business with: hidden ones, and those of NumPy that are no functions.

    Parameters
    ----------
    formula : str
    columns : collection of str
        Columns that occur in the formula: their names may have dots.
    outer : Mapping
        What the formula takes from the caller.

    Raises
    ------
    FormulaError
        The message says what NumPy offers, or what to do instead.
    """
    numpy = {"np", *(n for n, v in outer.items() if isinstance(v, ModuleType) and v.__name__.split(".")[0] == "numpy")}
    for token in tokenise(formula):
        if token.kind != "name" or token.text in columns:
            continue
        root, *path = token.text.split(".")
        if root.startswith("__") or any(part.startswith("_") for part in path):
            raise FormulaError(f"{token.text!r} in {formula!r} is hidden: use functions and methods without '_'.")
        if root in numpy and root not in columns and not _is_allowed(path):
            name = ".".join(path) or root
            hint = did_you_mean(name, _KNOWN)
            raise FormulaError(
                f"{token.text!r} in {formula!r} is no function of arrays that a formula may use, such as np.log or "
                f"np.where: compute the column before fitting.{hint}"
            )


def _is_allowed(path: list[str]) -> bool:
    if not path:
        return False
    name, *rest = path
    found = getattr(np, name, None)
    if isinstance(found, np.ufunc):
        return not rest or (len(rest) == 1 and rest[0] in _METHODS_OF_UFUNCS)
    known = name in _KNOWN or (isinstance(found, type) and issubclass(found, np.generic))
    return known and not rest
