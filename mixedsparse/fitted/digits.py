"""Variances of which rounding has left nothing: they are NaN, with a word, never a number that looks like one."""

from __future__ import annotations

import warnings

import numpy as np

from mixedsparse.ground.caller import user_level
from mixedsparse.ground.errors import UndefinedTestWarning

__all__ = ["known_covariances", "known_variances"]

# A variance is told from rounding where it is so many times the most negative one, which should be 0 at least.
_TOLD = 100.0
# Share of the largest variance up to which a negative one is 0.
_ZERO = 16.0 * np.finfo(float).eps


def known_variances(variances: np.ndarray, what: str) -> np.ndarray:
    """Variances (r,) that come from one system, NaN where rounding is as large, with a warning about `what`.

    Under weights over many decades and in nearly perfect fits variances are differences of much larger numbers. One
    that comes out negative tells the size of the errors of all.
    """
    out, lost = _told(variances)
    if lost.any():
        _warn(int(lost.sum()), len(lost), what)
    return out


def known_covariances(covariances: np.ndarray, what: str) -> np.ndarray:
    """Covariances (r, k, k), NaN in the rows and columns of variances that `known_variances` gives up."""
    if not (np.diagonal(covariances, axis1=1, axis2=2) < 0.0).any():
        return covariances
    out, gone = covariances.copy(), np.zeros(covariances.shape[:2], dtype=bool)
    for i in range(covariances.shape[1]):
        out[:, i, i], gone[:, i] = _told(covariances[:, i, i])
    if gone.any():
        out[gone[:, :, None] | gone[:, None, :]] = np.nan
        _warn(int(gone.any(axis=1).sum()), len(gone), what)
    return out


def _told(variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (r,), and the mask of those that are NaN for their lost digits."""
    error = -float(np.nanmin(variances, initial=0.0))
    if error == 0.0:
        return variances, np.zeros(len(variances), dtype=bool)
    if error <= _ZERO * float(np.nanmax(variances, initial=0.0)):
        return np.maximum(variances, 0.0), np.zeros(len(variances), dtype=bool)
    lost = (variances < _TOLD * error) & (variances != 0.0)
    return np.where(lost, np.nan, variances), lost


def _warn(count: int, total: int, what: str) -> None:
    warnings.warn(
        f"Rounding leaves no digit of {count} of {total} {what}: they are NaN. The weights, or the variances of the "
        "model, differ by too many decades: see fit.certificate.noise, and look at the smallest and largest weights.",
        UndefinedTestWarning,
        stacklevel=user_level(),
    )
