"""Random effects: conditional modes and their conditional covariances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixedsparse.api.results.base import ResultsBase, table_property
from mixedsparse.inference.breeding import breeding_values
from mixedsparse.inference.modes import conditional_cov, level_coefficients, mode_covariances, random_effects

__all__ = ["EffectsMixin"]


class EffectsMixin(ResultsBase):
    """Random-effects side of `MixedResults`. Grouping factors come by decreasing number of levels."""

    @property
    def ngroups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return self._fitted.ngroups

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
        return random_effects(self._fitted)

    def coef(self) -> dict[str, pd.DataFrame]:
        """Coefficients of each level: fixed effects plus the conditional modes of the same name (lme4: ``coef``).

        Returns
        -------
        dict
            Grouping factor -> DataFrame (levels, coefficients). Random effects that are not fixed as well stand alone.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.coef()["Subject"].head(2).round(2)
                 Intercept   Days
        Subject
        308         253.66  19.67
        309         211.01   1.85
        """
        return level_coefficients(self._fitted)

    @table_property
    def random_effects_cov(self) -> dict[str, np.ndarray]:
        """Conditional covariance of the random effects given y, grouping factor -> read-only array (levels, k, k).

        Rows and columns as in `random_effects`. The parameters are taken as known (lme4's ``condVar``):
        sigma^2 Lambda (Lambda'Z'WZ Lambda + I)^-1 Lambda', its diagonal blocks. Costs about one factorisation. After
        an iterative fit, see `conditional_cov`.
        """
        return dict(mode_covariances(self._fitted, "conditional"))

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
        return dict(mode_covariances(self._fitted, "prediction"))

    def breeding_values(self, factor: str, effect: str | Mapping[str, float] | None = None) -> pd.DataFrame:
        """Predict the effects of all levels of a factor in ``rel(...)``, ancestors without records among them.

        Parameters
        ----------
        factor : str
            As in ``rel(factor)``.
        effect : str or dict, optional
            Effect of a random regression, or weights of its effects: ``{"Intercept": 1, "age": 2}`` is the value at
            age 2. The first effect by default.

        Returns
        -------
        DataFrame
            Index: levels. ``value``: conditional mode (BLUP), in units of y; ``pev``: variance of its error, the
            coefficients estimated and the covariance parameters taken as known (the block of the inverse of Henderson's
            mixed-model equations), ``se`` its root; ``reliability``: 1 - pev / (variance of the effect of the level),
            the squared correlation of predicted and true value.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> data = {"y": [4.1, 5.0, 3.2, 6.1, 5.5, 4.4], "animal": ["c", "c", "d", "e", "e", "f"]}
        >>> family = {"animal": ["c", "d", "e", "f"], "sire": ["a", "a", "c", "c"], "dam": ["b", "", "b", "d"]}
        >>> fit = ms.lmer("y ~ 1 + (1 | rel(animal))", data, relations={"animal": ms.Pedigree(family)})
        >>> fit.breeding_values("animal").index.tolist()
        ['a', 'b', 'c', 'd', 'e', 'f']
        """
        return breeding_values(self._fitted, factor, effect)

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
        return conditional_cov(self._fitted, group, levels)
