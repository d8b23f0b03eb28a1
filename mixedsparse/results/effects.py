"""Random effects: conditional modes and their conditional covariances."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mixedsparse.core.fit import conditional_covariances
from mixedsparse.results.base import ResultsBase, read_only, table_property

__all__ = ["EffectsMixin"]


class EffectsMixin(ResultsBase):
    """Random-effects side of `MixedResults`. Grouping factors come by decreasing number of levels."""

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return {group: self._problem.terms[terms[0]].n_levels for group, terms in self._terms_of.items()}

    @table_property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional modes of the random effects (BLUPs), grouping factor -> DataFrame (levels, effects).

        The index holds the levels as they are in the data (those of ``a:b`` joined by ``:``), the columns the
        effects; several terms on one factor stand side by side in formula order. lme4: ``ranef``.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> fit.random_effects["Batch"].round(2).loc["A"].to_dict()
        {'Intercept': -17.61}
        """
        out = {}
        for group, terms in self._terms_of.items():
            index = pd.Index(self._problem.terms[terms[0]].levels, name=group)
            modes = np.hstack([self.fit.modes[t] for t in terms])
            out[group] = pd.DataFrame(read_only(modes), index=index, columns=self._effects_of(group))
        return out

    @table_property
    def random_effects_cov(self) -> dict[str, np.ndarray]:
        """Conditional covariance of the random effects given y, grouping factor -> read-only array (levels, k, k).

        Rows and columns as in `random_effects`. The parameters are taken as known (lme4's ``condVar``):
        sigma^2 Lambda (Lambda'Z'WZ Lambda + I)^-1 Lambda', its diagonal blocks. Costs about one factorisation.
        """
        layout = self._problem.layout
        blocks = conditional_covariances(self._problem, self.fit)
        out = {}
        for group, terms in self._terms_of.items():
            # Factors with equal codes share a block, whatever their names: take the columns of this one's terms.
            block = layout.term_block[terms[0]]
            inside = [layout.term_start[t] + i for t in terms for i in range(self._problem.terms[t].k)]
            cov = blocks[block]
            out[group] = read_only(cov if inside == list(range(cov.shape[1])) else cov[:, inside][:, :, inside])
        return out
