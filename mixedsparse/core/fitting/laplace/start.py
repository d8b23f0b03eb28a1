"""Where a search starts: the fit without random effects, and variances from the scores of the levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.likelihood.laplace.data import Data, Terms
from mixedsparse.ground.errors import DataError

__all__ = ["PlainFit", "first_vector", "plain_fit"]

_MOST_STEPS = 25
_MOST_HALVINGS = 30
# Decrement of the deviance, per thousand rows, from which on the fit without random effects is close enough.
_CLOSE = 1e-3
# Longest step of a linear predictor.
_LONGEST = 5.0
# Range of the first standard deviations, per standard deviation of the basis.
_LEAST, _MOST = 0.1, 1.5
# Range of the first log dispersions.
_PSI = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class PlainFit:
    """The model without random effects, fitted roughly.

    Attributes
    ----------
    gamma : ndarray, shape (p,)
    psi : float
    eta : ndarray, shape (n,)
    weakest : float
        Smallest eigenvalue of the information on gamma, over that of the first step.
    """

    gamma: np.ndarray
    psi: float
    eta: np.ndarray
    weakest: float


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def plain_fit(data: Data) -> PlainFit:
    """Fit by Fisher scoring with halving.

    Raises
    ------
    DataError
        No coefficients were found for which every row has a mean.
    """
    psi = data.family.psi
    eta = data.family.link.of(data.family.first_means(data.y, data.m))
    gamma, eta, terms = _first_step(data, eta, psi)
    information, _ = _information(data, eta, psi, terms)
    least = _least_eigenvalue(information)
    for _ in range(_MOST_STEPS if data.p else 0):
        score = data.Q.T @ terms.s
        root, info = lapack.dpotrf(information, lower=1)
        if info != 0:
            break
        step = lapack.dpotrs(root, score, lower=1)[0]
        moved = _stepped(data, gamma, step, psi, terms.total)
        if moved is None:
            break
        gamma, eta, terms = moved
        information, _ = _information(data, eta, psi, terms)
        if float(score @ step) < _CLOSE * max(1.0, data.n / 1000.0):
            break
    weakest = _least_eigenvalue(information) / max(least, 1e-300)
    return PlainFit(gamma, _dispersion(data, eta), eta, weakest)


def _least_eigenvalue(matrix: np.ndarray) -> float:
    return float(np.linalg.eigvalsh(matrix)[0]) if len(matrix) else 1.0


def _information(data: Data, eta: np.ndarray, psi: float, terms: Terms | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the expected information on gamma (p, p), and of the rows (n,): what is observed, by canonical links."""
    w = terms.w if terms is not None and data.family.canonical else data.expected_weights(eta, psi)
    return data.Q.T @ (w[:, None] * data.Q), w


def _first_step(data: Data, eta: np.ndarray, psi: float) -> tuple[np.ndarray, np.ndarray, Terms]:
    """Weighted least squares on the responses themselves; drawn to a constant mean until each row has a likelihood."""
    means = data.family.link.means(eta)
    information, w = _information(data, eta, psi)
    working = np.where(w > 0, eta - data.offset + (data.y - means.mu) / means.d1, 0.0)
    right = data.Q.T @ (w * working)
    root, info = lapack.dpotrf(information, lower=1)
    positive = data.p > 0 and info == 0
    gamma = lapack.dpotrs(root, right, lower=1)[0] if positive else np.linalg.lstsq(information, right, rcond=None)[0]
    trial, flat, share = gamma, None, 1.0
    for _ in range(_MOST_HALVINGS):
        at = data.fixed(trial)
        terms = data.rows(at, psi)
        if np.isfinite(terms.total):
            return trial, at, terms
        if flat is None:
            level = float((w * (eta - data.offset)).sum() / w.sum())
            flat = np.linalg.lstsq(data.Q.T @ data.Q, data.Q.T @ np.full(data.n, level), rcond=None)[0]
        share *= 0.5
        trial = flat + share * (gamma - flat)
    raise DataError(
        f"No coefficients were found for which every mean lies in the range of the {data.family.link.name} link: "
        "use link='log', or give start=."
    )


def _stepped(
    data: Data, gamma: np.ndarray, step: np.ndarray, psi: float, value: float
) -> tuple[np.ndarray, np.ndarray, Terms] | None:
    """Take a step, cut where a link would leave its range, then halved until the log-likelihood does not fall."""
    share = min(1.0, _LONGEST / max(float(np.abs(data.Q @ step).max()), 1e-300))
    for _ in range(_MOST_HALVINGS):
        trial = gamma + share * step
        eta = data.fixed(trial)
        terms = data.rows(eta, psi)
        new = terms.total
        if np.isfinite(new) and new >= value - 1e-12 * abs(value):
            return trial, eta, terms
        share *= 0.5
    return None


def _dispersion(data: Data, eta: np.ndarray) -> float:
    """Log dispersion by a few Newton steps."""
    psi = data.family.psi
    if not data.family.has_dispersion:
        return psi
    for _ in range(_MOST_STEPS):
        d = data.family.dispersion_rows(data.y, data.m, eta, psi)
        slope, bend = float(d.value.sum()), float(d.second.sum())
        if not np.isfinite(slope + bend):
            break
        step = -slope / bend if bend < 0 else np.sign(slope)
        psi = float(np.clip(psi + np.clip(step, -2.0, 2.0), -_PSI, _PSI))
        if abs(step) < 0.01:
            break
    return psi


@np.errstate(over="ignore", invalid="ignore", divide="ignore")
def first_vector(data: Data, plain: PlainFit) -> np.ndarray:
    """Parameters to start from: theta with correlations 0, gamma and psi.

    The score of a level, sum of z s, has variance A + sigma^2 A^2 with A its information.
    """
    layout = data.problem.layout
    terms = data.rows(plain.eta, plain.psi)
    _, w = _information(data, plain.eta, plain.psi, terms)
    lams = []
    for block, sums in zip(data.blocks, data.sums(terms.s[:, None]), strict=True):
        lam = np.zeros((block.width, block.width))
        for k in range(block.width):
            information = np.bincount(block.codes, w * np.square(block.z[:, k]), minlength=block.n_levels)
            share = 1.0 / np.square(1.0 + information)
            excess = float((share * (np.square(sums[:, k, 0]) - information)).sum())
            variance = max(excess, 0.0) / max(float((share * np.square(information)).sum()), 1e-300)
            lam[k, k] = np.clip(np.sqrt(variance), _LEAST, _MOST)
        lams.append(lam)
    psi = [np.array([plain.psi])] if data.family.has_dispersion else []
    return np.concatenate([layout.gather(lams), plain.gamma, *psi])
