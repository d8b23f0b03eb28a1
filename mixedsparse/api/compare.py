"""Information criteria of several models, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mixedsparse.ground.errors import DataError, OptionError
from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.inference.comparable import check_same_data, same_fixed_part

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["compare"]


@explains_arguments
def compare(models: Iterable[MixedResults] | Mapping[str, MixedResults]) -> pd.DataFrame:
    """Information criteria of several models of the same response.

    Parameters
    ----------
    models : sequence of MixedResults, or dict of them
        The keys of a dict become the row names; those of a sequence are ``m0``, ``m1``, ...

    Returns
    -------
    DataFrame
        One row per model, in the order given: ``formula``, ``method``, ``npar``, ``logLik``, then ``AIC``, ``AICc``
        (small samples: AIC + 2 k (k + 1) / (n - k - 1)) and ``BIC``, their differences ``dAIC``, ``dAICc``, ``dBIC``
        from the smallest, and ``weight``, the Akaike weight exp(-dAICc / 2) over its sum.

    Raises
    ------
    DataError
        Responses or weights differ, ML and REML are mixed, or REML fits have different fixed parts: their likelihoods
        are not those of the same data.
    OptionError
        There are fewer than two models.

    Notes
    -----
    All criteria are marginal, for a new sample of groups; `MixedResults.caic` is for the groups at hand. Information
    criteria count a variance at its boundary as a whole parameter, as lme4 and everyone does.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> data = ms.datasets.load("sleepstudy")
    >>> fits = [ms.lmer(f"Reaction ~ Days + ({bar} Subject)", data) for bar in ("1 |", "Days ||", "Days |")]
    >>> compare(fits)[["npar", "AIC", "dAIC", "BIC"]].round(2)
        npar      AIC   dAIC      BIC
    m0     4  1794.47  40.80  1807.24
    m1     5  1753.67   0.00  1769.63
    m2     6  1755.63   1.96  1774.79
    """
    named = dict(models) if isinstance(models, Mapping) else {f"m{i}": m for i, m in enumerate(models)}
    if len(named) < 2:
        raise OptionError(f"There {'is 1 model' if named else 'are 0 models'} to compare; give at least two.")
    _check_comparable(named)
    table = pd.DataFrame(
        {
            "formula": {name: m.formula for name, m in named.items()},
            "method": {name: m.method for name, m in named.items()},
            "npar": {name: m.df_model for name, m in named.items()},
            "logLik": {name: m.llf for name, m in named.items()},
            "AIC": {name: m.aic for name, m in named.items()},
            "AICc": {name: _aicc(m) for name, m in named.items()},
            "BIC": {name: m.bic for name, m in named.items()},
        }
    )
    for criterion in ("AIC", "AICc", "BIC"):
        table[f"d{criterion}"] = table[criterion] - table[criterion].min()
    relative = np.exp(-0.5 * table["dAICc"])
    return table.assign(weight=relative / relative.sum())


def _aicc(results: MixedResults) -> float:
    k, left = results.df_model, results.nobs - results.df_model - 1
    return results.aic + 2.0 * k * (k + 1) / left if left > 0 else np.inf


def _check_comparable(named: Mapping[str, MixedResults]) -> None:
    """Refuse models whose likelihoods do not compare."""
    check_same_data({name: m._fitted for name, m in named.items()})
    first_name, first = next(iter(named.items()))
    for name, other in named.items():
        if other.reml != first.reml:
            raise DataError(
                f"{first_name} is fitted by {first.method}, {name} by {other.method}: refit with reml=False."
            )
        if first.reml and not same_fixed_part(first._fitted, other._fitted):
            raise DataError(
                f"{first_name} and {name} are REML fits with different fixed parts or contrasts, so their likelihoods "
                "do not compare: refit with reml=False."
            )
