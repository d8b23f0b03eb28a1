"""Random effects: conditional modes and their conditional covariances."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import ResultsBase, read_only, table_property
from mixedsparse.core.fitting.fit import (
    conditional_covariance_of,
    conditional_covariances,
    prediction_error_covariances,
)
from mixedsparse.ground.checks import one_of
from mixedsparse.ground.errors import OptionError

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
        sigma^2 Lambda (Lambda'Z'WZ Lambda + I)^-1 Lambda', its diagonal blocks. Costs about one factorisation. After
        an iterative fit, see `conditional_cov`.
        """
        self._needs_factor(
            "The conditional covariance of all random effects", "Ask conditional_cov(group, levels) for chosen levels"
        )
        return self._covariances_of_groups(conditional_covariances(self._problem, self.fit))

    @table_property
    def random_effects_error_cov(self) -> dict[str, np.ndarray]:
        """Covariance of the errors of `random_effects`, grouping factor -> read-only array (levels, k, k).

        Var(b-hat - b) with the coefficients estimated and the covariance parameters taken as known: the blocks of the
        inverse of Henderson's mixed-model equations, which intervals of random effects rest on. `random_effects_cov`
        takes the coefficients as known too, and is smaller: intervals from it hold their level less often.

        Examples
        --------
        >>> import numpy as np, mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> both = fit.random_effects_cov, fit.random_effects_error_cov
        >>> [round(float(np.sqrt(cov["Batch"][0, 0, 0])), 2) for cov in both]
        [19.59, 24.77]
        """
        self._needs_factor(
            "The covariance of the errors of all random effects",
            "Ask conditional_cov(group, levels) for chosen levels, with the coefficients taken as known",
        )
        return self._covariances_of_groups(prediction_error_covariances(self._problem, self.fit))

    def _covariances_of_groups(self, blocks: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Covariances (levels, K, K) per block as grouping factor -> array (levels, k, k)."""
        out = {}
        for group, terms in self._terms_of.items():
            block, inside = self._places_of(terms)
            cov = blocks[block]
            out[group] = read_only(cov if inside == list(range(cov.shape[1])) else cov[:, inside][:, :, inside])
        return out

    def _mode_errors(self, errors: str) -> dict[str, np.ndarray]:
        """Return standard deviations (levels, k) of the random effects around their modes, per grouping factor.

        From `random_effects_error_cov` for `errors` = ``"prediction"``, from `random_effects_cov` for
        ``"conditional"``.
        """
        found = {"prediction": "random_effects_error_cov", "conditional": "random_effects_cov"}
        one_of("errors", errors, found)
        covariances = getattr(self, found[errors])
        return {g: np.sqrt(np.diagonal(cov, axis1=1, axis2=2)) for g, cov in covariances.items()}

    def _places_of(self, terms: list[int]) -> tuple[int, list[int]]:
        """Block of one grouping factor, and the columns of its terms there: factors with equal codes share a block."""
        layout = self._problem.layout
        inside = [layout.term_start[t] + i for t in terms for i in range(self._problem.terms[t].k)]
        return layout.term_block[terms[0]], inside

    def conditional_cov(self, group: str, levels: Any) -> dict[Any, pd.DataFrame]:
        """Conditional covariance of the random effects of chosen levels given y; see `random_effects_cov`.

        Parameters
        ----------
        group : str
            Grouping factor.
        levels : label or sequence of labels
            As in the index of ``random_effects[group]``.

        Returns
        -------
        dict level -> DataFrame (k, k)

        Raises
        ------
        OptionError
            There is no such grouping factor or level; the message says which.

        Notes
        -----
        After an iterative fit each level costs a solution by conjugate gradients for each of its effects, exact to
        rounding; after a direct fit all levels come at once.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
        >>> fit.conditional_cov("Batch", "A")["A"].round(2).to_numpy().tolist()
        [[383.63]]
        """
        if group not in self._terms_of:
            known = ", ".join(map(repr, self._terms_of))
            raise OptionError(f"group={group!r} is not a grouping factor; use one of {known}.")
        terms = self._terms_of[group]
        index = pd.Index(self._problem.terms[terms[0]].levels)
        single = not isinstance(levels, Collection) or isinstance(levels, str | bytes)
        labels = [levels] if single else list(levels)
        codes = index.get_indexer(pd.Index(labels))
        if len(labels) and codes.min() < 0:
            absent = labels[int(np.argmin(codes))]
            raise OptionError(f"levels: {group!r} has no level {absent!r}; see random_effects[{group!r}].index.")
        block, inside = self._places_of(terms)
        cov = conditional_covariance_of(self._problem, self.fit, block, codes)[:, inside][:, :, inside]
        names = self._effects_of(group)
        return {label: pd.DataFrame(c, index=names, columns=names) for label, c in zip(labels, cov, strict=True)}
