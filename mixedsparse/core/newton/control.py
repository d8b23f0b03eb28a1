"""How far searches go, which of their steps are taken and when they end: of one search, or of each of many in step.

Every function here takes the numbers of one search or arrays of those of many, and answers alike.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

__all__ = ["FIRST_RADIUS", "SMALLEST_RADIUS", "ends", "judge"]

Number = TypeVar("Number", float, np.ndarray)

# First radius, in whitened theta: moment estimates are rarely further off. The radius below which no progress is made.
FIRST_RADIUS, SMALLEST_RADIUS = 0.5, 1e-6
# Ratios of the actual to the promised fall below and above which a step is poor or good; the radius after a poor step,
# over its length, and after a good one, over the radius that limited it.
_POOR, _GOOD = 0.25, 0.75
_NARROWER, _WIDER = 0.25, 3.0
# A promise of less than this many times the noise of the criterion cannot be checked.
_UNSEEN = 10.0


def ends(
    promised: Number, enough: Number, limited: bool | np.ndarray, radius: Number, smallest: float = SMALLEST_RADIUS
) -> tuple[Any, Any]:
    """Whether a search makes no progress, and whether its next step promises no more than `enough`.

    A radius that shrank to nothing makes any promise small, which is no convergence.
    """
    stuck = limited & (radius < smallest)
    return stuck, (promised <= enough) & (stuck ^ True)


def judge(
    gain: Number, promised: Number, noise: Number, length: Number, limited: bool | np.ndarray, radius: Number
) -> tuple[Any, Number]:
    """Whether a step of `length` is taken that lowers the criterion by `gain`, and the radius of the next.

    It is taken if the criterion falls. Where the promise is within the noise of the criterion, a rise of that size says
    nothing against the step, nor a small fall against the radius. What cannot be evaluated gains -inf or NaN.
    """
    unseen = promised < _UNSEEN * noise
    taken = (gain > 0.0) | (unseen & (gain > -_UNSEEN * noise))
    fair = taken & (unseen | (gain >= _POOR * promised))
    good = taken & limited & (gain > _GOOD * promised)
    # Sums of products with masks, so that one statement serves numbers and arrays.
    wider = radius * (fair + (_WIDER - 1.0) * good)
    narrower: Any = _NARROWER * length * (fair ^ True)
    return taken, wider + narrower
