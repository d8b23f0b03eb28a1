"""What secants learn of the Hessian, and where it is clipped."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.fitting.laplace.secants import learnt
from mixedsparse.core.likelihood.laplace.criterion import Curvature


@pytest.mark.parametrize("factor", [0.3, 1.9, 5.0, -0.5], ids=["inside", "next to the end", "beyond", "below"])
def test_what_is_learnt_lies_between_the_ends(factor: float) -> None:
    """In units of the Hessian, as its eigenvalues say; inside the ends it explains the step."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(4, 4))
    hessian = root @ root.T + np.eye(4)
    move = rng.normal(size=4)
    empty = np.empty((0, 0))
    old = Curvature(np.zeros(4), hessian, empty, [])
    new = Curvature(hessian @ move * (1.0 + factor), hessian, empty, [])
    found = learnt(np.zeros((4, 4)), np.zeros((4, 4)), move, old, new)
    chol = np.linalg.cholesky(hessian)
    units = np.linalg.eigvalsh(np.linalg.solve(chol, np.linalg.solve(chol, found).T))
    assert units.min() >= -0.9 - 1e-12
    assert units.max() <= 1.0 + 1e-12
    if factor == 0.3:
        np.testing.assert_allclose((hessian + found) @ move, new.gradient, rtol=1e-10)
    if factor == 5.0:
        assert units.max() == pytest.approx(1.0, rel=1e-10)
