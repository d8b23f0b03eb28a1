"""Arrows beside means that overlap where two of them do not differ.

Of each pair, the arrow of the smaller mean to the right and that of the greater one to the left have to reach, both
together, the half-width of the interval of their difference. R's emmeans fits the lengths by least squares; here they
are those of least absolute errors among lengths that say the right thing of all pairs, if there are any.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

__all__ = ["arrow_lengths"]

# Share of a difference that arrows stay away from touching, and the price of saying the wrong thing of a pair.
_APART = 0.02
_WRONG = 1e4
# Prices of length, so that arrows that no pair needs have none, and of unequal arrows of a mean.
_LENGTH, _UNEQUAL = 1e-6, 1e-3
# Errors weigh most for pairs that differ just so: their price falls with the distance from that.
_NEAR = 0.1


def arrow_lengths(
    means: np.ndarray, first: np.ndarray, second: np.ndarray, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths of arrows to the left and to the right.

    Parameters
    ----------
    means : ndarray, shape (k,)
    first, second : ndarray of int, shape (pairs,)
        Means of each pair.
    half : ndarray, shape (pairs,)
        Half-width of the interval of their difference.

    Returns
    -------
    left, right : ndarray, shape (k,)
    wrong : ndarray of bool, shape (pairs,)
        Pairs of which no lengths could say the right thing.
    """
    k, pairs = len(means), len(first)
    low, high = np.where(means[first] <= means[second], [first, second], [second, first])
    distance = means[high] - means[low]
    scale = float(half.max()) if half.max() > 0 else 1.0
    differ = distance > half
    # Unknown: lengths to the left and right (k each), errors and what is missing for a right answer (pairs each), and
    # by how much the two arrows of a mean differ that needs both.
    rows, one = np.arange(pairs), np.ones(pairs)
    reach = sparse.csr_array((np.r_[one, one], (np.r_[rows, rows], np.r_[high, k + low])), shape=(pairs, 2 * k))
    both = np.intersect1d(low, high)
    unequal = sparse.csr_array(
        (np.repeat([1.0, -1.0], len(both)), (np.tile(np.arange(len(both)), 2), np.r_[both, k + both])),
        shape=(len(both), 2 * k),
    )
    eye, same = sparse.eye_array(pairs), sparse.eye_array(len(both))
    sign = sparse.diags_array(np.where(differ, 1.0, -1.0))
    A = sparse.block_array(
        [
            [sign @ reach, None, -eye, None],
            [reach, -eye, None, None],
            [-reach, -eye, None, None],
            [unequal, None, None, -same],
            [-unequal, None, None, -same],
        ],
        format="csr",
    )
    bound = np.where(differ, (1.0 - _APART) * distance, -(1.0 + _APART) * distance) / scale
    b = np.r_[bound, half / scale, -half / scale, np.zeros(2 * len(both))]
    near = 1.0 / (_NEAR + np.abs(distance - half) / scale)
    cost = np.r_[np.full(2 * k, _LENGTH), near, np.full(pairs, _WRONG), np.full(len(both), _UNEQUAL)]
    found = linprog(cost, A_ub=A, b_ub=b, method="highs").x[: 2 * k]
    overlap = scale * (reach @ found) >= distance
    return scale * found[:k], scale * found[k:], overlap == differ
