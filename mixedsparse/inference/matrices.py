"""The matrices of y = X beta + Z b + e, b = Lam u, by the names of these equations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from mixedsparse.core.problem.slots import per_slot
from mixedsparse.core.problem.sparse_columns import is_sparse
from mixedsparse.ground.checks import one_of
from mixedsparse.inference.labels import read_only

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["design_of_modes", "indicator", "matrix"]


def matrix(fitted: Fitted, name: str) -> Any:
    """Return a quantity of the model; see `MixedResults.get`."""
    one_of("name", name, tuple(key for key in _MATRICES if key != "sigma" or fitted.has_residual))
    return _MATRICES[name](fitted)


def design_of_modes(fitted: Fitted) -> sparse.csr_array:
    """Z (n, q): term by term in theta order, level by level within a term."""
    return sparse.hstack([indicator(t.codes, t.z, t.n_levels) for t in fitted.problem.terms], format="csr")


def indicator(codes: np.ndarray, z: np.ndarray, n_levels: int) -> sparse.csr_array:
    """Z of one term, (n, levels * k): the k entries of a row stand at its level, or at one for each slot."""
    if codes.ndim == 2:
        return sum(indicator(own, basis, n_levels) for own, basis in per_slot(codes, z))
    n, k = z.shape
    columns = (codes[:, None] * k + np.arange(k)).ravel()
    return sparse.csr_array((z.ravel(), columns, np.arange(0, n * k + 1, k)), shape=(n, n_levels * k))


def _lam(fitted: Fitted) -> sparse.csc_array:
    blocks = [
        sparse.kron(sparse.eye(term.n_levels), lam)
        for term, lam in zip(fitted.problem.terms, fitted.fit.templates, strict=True)
    ]
    return sparse.csc_array(sparse.block_diag(blocks))


def _u(fitted: Fitted) -> np.ndarray:
    # The same in the whitened bases of the blocks as in the user's.
    layout, blocks = fitted.problem.layout, fitted.spherical_modes
    places = zip(fitted.problem.terms, layout.term_block, layout.term_start, strict=True)
    return np.concatenate([blocks[b][:, start : start + term.k].ravel() for term, b, start in places])


_MATRICES = {
    "y": lambda fitted: read_only(fitted.design.y),
    "X": lambda fitted: sparse.csr_array(fitted.X) if is_sparse(fitted.X) else read_only(fitted.X),
    "Z": design_of_modes,
    "Lam": _lam,
    "b": lambda fitted: np.concatenate([modes.ravel() for modes in fitted.fit.modes]),
    "beta": lambda fitted: read_only(fitted.fit.beta),
    "sigma": lambda fitted: fitted.sigma,
    "theta": lambda fitted: read_only(fitted.fit.theta),
    "u": _u,
}
