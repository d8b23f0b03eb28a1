"""One door to the matrices of the model, by the names of its equations (lme4: ``getME``)."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from mixedsparse.api.results.base import ResultsBase, read_only
from mixedsparse.ground.checks import one_of

__all__ = ["InternalsMixin", "indicator"]

_NAMES = ("y", "X", "Z", "Lam", "b", "beta", "sigma", "theta", "u")


class InternalsMixin(ResultsBase):
    """Matrices of y = X beta + Z b + e, b = Lam u."""

    def get(self, name: str) -> Any:
        """Return a quantity of the model by name.

        Parameters
        ----------
        name : {"y", "X", "Z", "Lam", "b", "beta", "sigma", "theta", "u"}
            ``X`` (n, p): columns that were kept. ``Z`` (n, q) and ``Lam`` (q, q): sparse. ``b``, ``u`` (q,): modes of
            the random effects and of the spherical ones. Random effects stand term by term in theta order,
            level by level within a term, as in lme4. Neither weights nor offset are multiplied or added in.

        Raises
        ------
        OptionError
            `name` is not known.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> fit.get("Z").shape
        (180, 36)
        """
        one_of("name", name, _NAMES)
        return getattr(self, f"_get_{name}")()

    def _get_y(self) -> np.ndarray:
        return read_only(self.model.design.y)

    def _get_X(self) -> np.ndarray:
        return read_only(self.model.design.X[:, self._problem.basis.kept])

    def _get_Z(self) -> sparse.csr_array:
        return sparse.hstack([indicator(t.codes, t.z, t.n_levels) for t in self._problem.terms], format="csr")

    def _get_Lam(self) -> sparse.csc_array:
        blocks = [
            sparse.kron(sparse.eye(term.n_levels), lam)
            for term, lam in zip(self._problem.terms, self.fit.templates, strict=True)
        ]
        return sparse.csc_array(sparse.block_diag(blocks))

    def _get_b(self) -> np.ndarray:
        return np.concatenate([modes.ravel() for modes in self.fit.modes])

    def _get_beta(self) -> np.ndarray:
        return read_only(self.fit.beta)

    def _get_sigma(self) -> float:
        return float(np.sqrt(self.fit.sigma2))

    def _get_theta(self) -> np.ndarray:
        return read_only(self.fit.theta)

    def _get_u(self) -> np.ndarray:
        # u = Lam'Z'V_0^-1 (y - X beta), the same in the whitened bases of the blocks as in the user's.
        layout, pls = self._problem.layout, self.fit.search.pls
        blocks = [zeta @ lam for zeta, lam in zip(pls.zeta, pls.factors, strict=True)]
        places = zip(self._problem.terms, layout.term_block, layout.term_start, strict=True)
        return np.concatenate([blocks[b][:, start : start + term.k].ravel() for term, b, start in places])


def indicator(codes: np.ndarray, z: np.ndarray, n_levels: int) -> sparse.csr_array:
    """Z of one term, (n, levels * k): the k entries of a row stand at its level."""
    n, k = z.shape
    columns = (codes[:, None] * k + np.arange(k)).ravel()
    return sparse.csr_array((z.ravel(), columns, np.arange(0, n * k + 1, k)), shape=(n, n_levels * k))
