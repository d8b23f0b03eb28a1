"""Arguments of statsmodels' calls that are objects: plain holders, in whose place statsmodels' own do as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


class MixedLMParams:
    """A value for each parameter, scale apart: of a model, or as `free` of `MixedLM.fit`, 1 for those to estimate.

    Parameters
    ----------
    k_fe, k_re, k_vc : int
        Numbers of fixed effects, of random effects of a group and of variance components.

    Attributes
    ----------
    fe_params : ndarray, shape (k_fe,)
    cov_re : ndarray, shape (k_re, k_re)
        Over scale.
    vcomp : ndarray, shape (k_vc,)
        Over scale.

    Examples
    --------
    >>> free = MixedLMParams(2, 2, 0)
    >>> free.fe_params, free.cov_re = np.ones(2), np.eye(2)
    >>> free.get_packed(use_sqrt=False, has_fe=True)
    array([1., 1., 1., 0., 1.])
    """

    def __init__(self, k_fe: int = 0, k_re: int = 0, k_vc: int = 0) -> None:
        self.k_fe, self.k_re, self.k_vc = k_fe, k_re, k_vc
        self.fe_params: Any = np.zeros(k_fe)
        self.cov_re: Any = np.zeros((k_re, k_re))
        self.vcomp: Any = np.zeros(k_vc)

    @property
    def k_re2(self) -> int:
        """Number of parameters of `cov_re`."""
        return self.k_re * (self.k_re + 1) // 2

    @property
    def k_tot(self) -> int:
        """Number of all parameters."""
        return self.k_fe + self.k_re2 + self.k_vc

    @classmethod
    def from_components(
        cls, fe_params: Any = None, cov_re: Any = None, cov_re_sqrt: Any = None, vcomp: Any = None
    ) -> MixedLMParams:
        """Make one from arrays; None for no parameters of a kind. `cov_re_sqrt` is L of cov_re = L L'."""
        if cov_re_sqrt is not None:
            root = np.asarray(cov_re_sqrt, dtype=float)
            cov_re = root @ root.T
        fe, cov, components = (
            np.zeros(shape) if given is None else np.asarray(given, dtype=float)
            for given, shape in ((fe_params, 0), (cov_re, (0, 0)), (vcomp, 0))
        )
        out = cls(len(fe), len(cov), len(components))
        out.fe_params, out.cov_re, out.vcomp = fe, cov, components
        return out

    @classmethod
    def from_packed(cls, params: Any, k_fe: int, k_re: int, use_sqrt: bool, has_fe: bool) -> MixedLMParams:
        """Make one from a vector: fixed effects if `has_fe`, lower triangle row by row, variance components.

        With `use_sqrt` the triangle is L of cov_re = L L', and the components are standard deviations.
        """
        packed = np.asarray(params, dtype=float)
        fixed, rest = (packed[:k_fe], packed[k_fe:]) if has_fe else (np.zeros(k_fe), packed)
        low = np.tril_indices(k_re)
        triangle, components = np.zeros((k_re, k_re)), rest[len(low[0]) :]
        triangle[low] = rest[: len(low[0])]
        if use_sqrt:
            return cls.from_components(fixed, cov_re_sqrt=triangle, vcomp=components**2)
        return cls.from_components(fixed, cov_re=triangle + np.tril(triangle, -1).T, vcomp=components)

    def get_packed(self, use_sqrt: bool, has_fe: bool = False) -> np.ndarray:
        """Vector that `from_packed` reads."""
        triangle, components = np.asarray(self.cov_re, dtype=float), np.asarray(self.vcomp, dtype=float)
        if use_sqrt:
            triangle, components = _root(triangle), np.sqrt(components)
        packed = [triangle[np.tril_indices(len(triangle))], components]
        return np.concatenate([np.asarray(self.fe_params, dtype=float), *packed] if has_fe else packed)

    def copy(self) -> MixedLMParams:
        """Return one with arrays of its own."""
        return MixedLMParams.from_components(
            np.array(self.fe_params), cov_re=np.array(self.cov_re), vcomp=np.array(self.vcomp)
        )


def _root(matrix: np.ndarray) -> np.ndarray:
    """Lower triangle L of a matrix L L'; standard deviations alone where it is singular, as in statsmodels."""
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return np.diag(np.sqrt(np.diagonal(matrix)))
