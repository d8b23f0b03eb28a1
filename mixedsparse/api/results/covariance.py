"""Covariance parameters: of the random effects, and of the residual."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.linalg import block_diag

from mixedsparse.api.results.base import ResultsBase, read_only, table_property

__all__ = ["CovarianceMixin"]


class CovarianceMixin(ResultsBase):
    """Covariance side of `MixedResults`. Everything is in theta order: factors by decreasing number of levels."""

    @property
    def theta(self) -> np.ndarray:
        """Relative covariance parameters (m,), no units: lower triangles column by column, terms in theta order."""
        return read_only(self.fit.theta)

    @property
    def scale(self) -> float:
        """Residual variance sigma^2, in y^2."""
        return self.fit.sigma2

    @property
    def sigma(self) -> float:
        """Residual standard deviation, in units of y (of an observation of weight 1)."""
        return math.sqrt(self.fit.sigma2)

    def _covariance(self, term: int) -> np.ndarray:
        """Covariance matrix sigma^2 Lambda Lambda' (k, k) of the random effects of one term."""
        lam = self.fit.templates[term]
        return self.fit.sigma2 * (lam @ lam.T)

    def varcorr(self) -> pd.DataFrame:
        """Variances and covariances of the random effects and the residual, one row each.

        Returns
        -------
        DataFrame
            The rows of lme4's ``as.data.frame(VarCorr(m))``. ``grp``: grouping factor, with ``.1``, ``.2``, ...
            after the name for its further terms; ``var1``, ``var2``: effects, ``var2`` None for a variance;
            ``vcov``: variance or covariance; ``sdcor``: standard deviation or correlation (NaN where a variance
            is zero). Per term variances first, then the lower triangle by columns; the residual last.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.varcorr()[["grp", "var1", "sdcor"]].round(3)
                grp       var1   sdcor
        0   Subject  Intercept  24.740
        1   Subject       Days   5.922
        2   Subject  Intercept   0.066
        3  Residual       None  25.592
        """
        rows = [row for t, label in enumerate(self._term_labels()) for row in self._varcorr_rows(t, label)]
        rows.append(("Residual", None, None, self.scale, self.sigma))
        table = pd.DataFrame(rows, columns=["grp", "var1", "var2", "vcov", "sdcor"], dtype=object)
        return table.astype({"vcov": float, "sdcor": float})

    def _term_labels(self) -> list[str]:
        """Name of the grouping factor of each term, made unique: g, g.1, g.2, ..."""
        labels: list[str] = []
        taken = set(self._terms_of)
        for t, term in enumerate(self._problem.terms):
            label, number = term.group, 0
            while t != self._terms_of[term.group][0] and label in taken:
                number += 1
                label = f"{term.group}.{number}"
            taken.add(label)
            labels.append(label)
        return labels

    def _varcorr_rows(self, t: int, label: str) -> Iterator[tuple[str, str, str | None, float, float]]:
        names = self._problem.terms[t].columns
        cov = self._covariance(t)
        sd = np.sqrt(np.diagonal(cov))
        for name, variance, deviation in zip(names, np.diagonal(cov), sd, strict=True):
            yield label, name, None, variance, deviation
        for col, row in zip(*np.triu_indices(len(names), 1), strict=True):
            product = sd[row] * sd[col]
            correlation = cov[row, col] / product if product > 0 else math.nan
            yield label, names[col], names[row], cov[row, col], correlation

    @table_property
    def cov_re(self) -> dict[str, pd.DataFrame]:
        """Covariance of the random effects, grouping factor -> DataFrame (k, k), in y^2 per unit of both effects.

        Several terms on one factor make one frame, with zeros between the terms.
        """
        out = {}
        for group, terms in self._terms_of.items():
            names = self._effects_of(group)
            cov = read_only(block_diag(*[self._covariance(t) for t in terms]))
            out[group] = pd.DataFrame(cov, index=names, columns=names)
        return out

    @table_property
    def vcomp(self) -> pd.Series:
        """Variances of the random effects, indexed by (group, effect); the residual's is `scale`."""
        terms = self._problem.terms
        labels = [(term.group, name) for term in terms for name in term.columns]
        values = np.concatenate([np.diagonal(self._covariance(t)) for t in range(len(terms))])
        return pd.Series(
            read_only(values), index=pd.MultiIndex.from_tuples(labels, names=["group", "effect"]), name="vcomp"
        )
