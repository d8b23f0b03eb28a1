"""What only generalized fits draw: calibration, and maximum likelihood within levels for their shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mixedsparse.inference.modes import random_effects
from mixedsparse.plotting.axes import one
from mixedsparse.plotting.looks import MARK, QUIET
from mixedsparse.plotting.words import wrapped

if TYPE_CHECKING:
    from mixedsparse.fitted.generalized import GeneralizedFitted

__all__ = ["draw_calibration", "maximum_within"]

_STEPS = 60
_HALVINGS = 30
# Decrement at which a level has its maximum.
_DONE = 1e-18
# Share of its first information that a level must keep: where it fades, the likelihood rises without limit.
_FADED = 1e-6
_RANK = 1e-8
_ROUNDING = 1e-12


def draw_calibration(table: pd.DataFrame, response: str, ax: Any) -> Any:
    """Draw the table that `mixedsparse.diagnostics.calibration` makes."""
    ax = one(ax)
    ends = [table[["fitted", "lower"]].min(axis=None), table[["fitted", "upper"]].max(axis=None)]
    ax.plot(ends, ends, color=QUIET, linewidth=0.8)
    bars = np.abs(table[["lower", "upper"]].to_numpy().T - table["observed"].to_numpy())
    ax.errorbar(table["fitted"], table["observed"], bars, fmt="o", color=MARK, capsize=3)
    ax.set(xlabel=wrapped(f"Fitted {response}", 40), ylabel="Observed")
    return ax


def maximum_within(fitted: GeneralizedFitted, group: str) -> pd.DataFrame:
    """Maximum-likelihood estimates of the effects of each level of `group`, all other parts of the model as fitted.

    NaN for levels whose rows do not determine all of their effects, or whose likelihood has no maximum (outcomes that
    are all failures, or all 0).

    Returns
    -------
    DataFrame (levels, effects), as ``results.random_effects[group]``
    """
    own = fitted.terms_of[group]
    terms = [fitted.problem.terms[t] for t in own]
    z = np.hstack([term.z for term in terms])
    root = np.sqrt(np.square(z).mean(axis=0))
    size = np.where(root > 0, root, 1.0)
    b = np.hstack([fitted.fit.modes[t] for t in own])
    rest = fitted.linear_predictor - np.einsum("ij,ij->i", z, b[terms[0].codes])
    levels = _Levels(fitted, terms[0].codes, z / size, rest, terms[0].n_levels)
    modes = random_effects(fitted)[group]
    return pd.DataFrame(levels.maximum(b * size) / size, index=modes.index, columns=modes.columns)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Likelihoods of the levels of a factor as functions of effects (levels, k), the `rest` of the predictor known."""

    fitted: GeneralizedFitted
    codes: np.ndarray
    z: np.ndarray
    rest: np.ndarray
    n_levels: int

    def at(self, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-likelihood, score and information of each level."""
        fitted, z = self.fitted, self.z
        psi = fitted.psi
        m = np.ones(len(z)) if fitted.weights is None else fitted.weights
        rows = fitted.family.rows(fitted.model.response, m, self.rest + np.einsum("ij,ij->i", z, b[self.codes]), psi)
        products = z[:, :, None] * z[:, None, :] * rows.w[:, None, None]
        return self._sums(rows.value), self._sums(z * rows.s[:, None]), self._sums(products)

    def _sums(self, rows: np.ndarray) -> np.ndarray:
        flat = rows.reshape(len(rows), -1).T
        sums = np.stack([np.bincount(self.codes, column, minlength=self.n_levels) for column in flat], axis=1)
        return sums.reshape(self.n_levels, *rows.shape[1:])

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def maximum(self, b: np.ndarray) -> np.ndarray:
        """Newton's method from `b`, all levels at once; NaN where there is no maximum."""
        k = b.shape[1]
        value, score, information = self.at(b)
        first = np.linalg.eigvalsh(information)
        known = (first[:, 0] > _RANK * first[:, -1]) & np.isfinite(value)
        for _ in range(_STEPS):
            curved = np.where(known[:, None, None], information, np.eye(k))
            step = np.where(known[:, None], np.linalg.solve(curved, score[:, :, None])[:, :, 0], 0.0)
            done = np.einsum("gk,gk->g", step, score) <= _DONE
            if done.all():
                break
            b, (value, score, information) = self._stepped(b, step, value, known)
            least = np.linalg.eigvalsh(np.where(np.isfinite(information), information, 0.0))[:, 0]
            known = known & (least > _FADED * first[:, 0])
        return np.where((known & done)[:, None], b, np.nan)

    def _stepped(
        self, b: np.ndarray, step: np.ndarray, value: np.ndarray, known: np.ndarray
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Effects after a step, halved for the levels whose likelihood would fall."""
        share = np.ones(self.n_levels)
        for _ in range(_HALVINGS):
            new = self.at(b + share[:, None] * step)
            worse = known & ~(new[0] >= value - _ROUNDING * np.abs(value))
            if not worse.any():
                break
            share[worse] *= 0.5
        return b + share[:, None] * step, new
