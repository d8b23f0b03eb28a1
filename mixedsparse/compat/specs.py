"""Arguments of statsmodels' calls that are objects: plain holders, in whose place statsmodels' own do as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["MixedLMParams", "VCSpec"]


@dataclass(frozen=True, slots=True, eq=False)
class VCSpec:
    """Designs of variance components, for `MixedLM`.

    Attributes
    ----------
    names : list of str
        Name of each component.
    colnames : list of list of list of str
        ``colnames[k][i]``: names of the columns of ``mats[k][i]``.
    mats : list of list of array, shape (rows of the group, columns)
        ``mats[k][i]``: design of component k in group i, groups in sorted order; dense or sparse.
    """

    names: Sequence[str]
    colnames: Sequence[Sequence[Sequence[str]]]
    mats: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class MixedLMParams:
    """A value for each parameter: as `free` of `MixedLM.fit`, 1 for those to estimate.

    Attributes
    ----------
    fe_params : ndarray, shape (k_fe,)
    cov_re : ndarray, shape (k_re, k_re)
    vcomp : ndarray, shape (k_vc,)

    Examples
    --------
    >>> MixedLMParams.from_components(fe_params=[1, 1], cov_re=[[1, 0], [0, 1]]).vcomp.size
    0
    """

    fe_params: np.ndarray = field(default_factory=lambda: np.empty(0))
    cov_re: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    vcomp: np.ndarray = field(default_factory=lambda: np.empty(0))

    @classmethod
    def from_components(cls, fe_params: Any = None, cov_re: Any = None, vcomp: Any = None) -> MixedLMParams:
        """Make one from arrays; None for no parameters of a kind."""
        fe = np.empty(0) if fe_params is None else np.asarray(fe_params, dtype=float)
        cov = np.empty((0, 0)) if cov_re is None else np.asarray(cov_re, dtype=float)
        return cls(fe, cov, np.empty(0) if vcomp is None else np.asarray(vcomp, dtype=float))
