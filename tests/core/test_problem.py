"""Cross-products against a dense Z; the orthonormal basis of X and the way back; whitening of theta."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.problem.blocks import Block
from mixedsparse.core.problem.crossproducts import level_products
from mixedsparse.core.problem.fixed import make_basis
from mixedsparse.core.problem.problem import make_problem
from tests.models import DESIGNS, Small, make, random_theta
from tests.oracle import triangles


def whitened(small: Small) -> list[np.ndarray]:
    """Dense Z of each block, (n, levels * K), from the whitened bases of its terms."""
    layout = small.problem().layout
    root = np.ones(len(small.y)) if small.weights is None else np.sqrt(small.weights)
    ordered = [small.terms[i] for i in small.problem().order]
    out = []
    for b, (levels, width) in enumerate(zip(layout.n_levels, layout.widths, strict=True)):
        mine = [t for t, owner in enumerate(layout.term_block) if owner == b]
        z = np.hstack([root[:, None] * ordered[t].z @ np.linalg.inv(layout.whiten[t]) for t in mine])
        assert z.shape[1] == width
        out.append(np.hstack([z * (ordered[mine[0]].codes == level)[:, None] for level in range(levels)]))
    return out


@pytest.mark.parametrize("name", DESIGNS)
def test_cross_products(name):
    small = make(name, seed=30)
    problem, blocks = small.problem(), whitened(small)
    columns = np.column_stack([problem.basis.q, problem.basis.residual])
    sizes = list(zip(problem.layout.n_levels, problem.layout.widths, strict=True))
    for b, (levels, width) in enumerate(sizes):
        gram = (blocks[b].T @ blocks[b]).reshape(levels, width, levels, width)
        np.testing.assert_allclose(problem.grams[b], gram[np.arange(levels), :, np.arange(levels)], atol=1e-10)
        np.testing.assert_allclose(problem.Zxy[b], (blocks[b].T @ columns).reshape(levels, width, -1), atol=1e-10)
    for (s, t), pairs in problem.pairs.items():
        full = (blocks[s].T @ blocks[t]).reshape(*sizes[s], *sizes[t])
        np.testing.assert_allclose(pairs.dense(), full.transpose(0, 1, 3, 2), atol=1e-10)
        np.testing.assert_allclose(pairs.transposed().dense(), full.transpose(2, 3, 1, 0), atol=1e-10)


@pytest.mark.parametrize("name", DESIGNS)
def test_whitening_is_linear_in_theta(name):
    small = make(name, seed=31)
    problem, theta = small.problem(), random_theta(small, seed=32)
    lambdas = problem.layout.lams(problem.layout.to_block @ theta)
    for t, lam in enumerate(triangles(problem.terms, theta)):
        block, start = problem.layout.term_block[t], problem.layout.term_start[t]
        inside = slice(start, start + len(lam))
        np.testing.assert_allclose(lambdas[block][inside, inside], problem.layout.whiten[t] @ lam, atol=1e-12)
    np.testing.assert_allclose(problem.from_block @ problem.layout.to_block, np.eye(len(theta)), atol=1e-10)


def test_order_of_theta_is_by_decreasing_levels_ties_as_written():
    rng = np.random.default_rng(0)
    terms = [RandomTerm(f"g{i}", np.arange(60) % n, rng.normal(size=60)) for i, n in enumerate([5, 9, 5, 12])]
    assert make_problem(rng.normal(size=60), np.ones((60, 1)), terms).order == (3, 1, 0, 2)


BASES = {
    "plain": lambda rng: np.column_stack([np.ones(50), rng.normal(size=(50, 2))]),
    "no constant": lambda rng: rng.normal(size=(50, 3)),
    "constant last": lambda rng: np.column_stack([rng.normal(size=(50, 2)), np.full(50, 3.0)]),
    "dummies": lambda rng: np.eye(4)[rng.permutation(np.arange(50) % 4)],
    "huge and tiny": lambda rng: np.column_stack([np.ones(50), 1e9 * rng.normal(size=50), 1e-9 * rng.normal(size=50)]),
    "far from zero": lambda rng: np.column_stack([np.ones(50), 1e6 + rng.normal(size=50)]),
    "nearly dependent": lambda rng: rng.normal(size=(50, 2)) @ [[1.0, 1.0], [0.0, 1e-5]],
}


@pytest.mark.parametrize("kind", BASES)
def test_basis_of_X(kind):
    rng = np.random.default_rng(1)
    X, y = BASES[kind](rng), 5.0 + rng.normal(size=50)
    basis = make_basis(X, y)
    p = X.shape[1]
    assert basis.kept.tolist() == list(range(p))
    np.testing.assert_allclose(basis.q.T @ basis.q, np.eye(p), atol=1e-9)
    np.testing.assert_allclose(basis.q @ basis.root, X, rtol=1e-9, atol=1e-9 * np.abs(X).max())
    np.testing.assert_allclose(basis.q.T @ basis.residual, 0.0, atol=1e-12)
    np.testing.assert_allclose(basis.q @ basis.shift + basis.residual, y, rtol=1e-12)
    scale = np.linalg.norm(X, axis=0)
    want = 2 * np.log(np.abs(np.diag(np.linalg.qr(X / scale)[1]))).sum() + 2 * np.log(scale).sum()
    assert basis.log_det == pytest.approx(want, abs=1e-7)


@pytest.mark.parametrize(
    ("make_columns", "kept"),
    [
        (lambda x, z: [x**0, x, 2 * x, z], [0, 1, 3]),
        (lambda x, z: [x**0, 0 * x, x], [0, 2]),
        (lambda x, z: [x, z, x - z, x**0], [0, 1, 3]),
        (lambda x, z: [x**0, 7 * x**0, x], [0, 2]),
        (lambda x, z: [x**0, x, x + 1e-9 * z], [0, 1]),
    ],
)
def test_dependent_columns_of_X(make_columns, kept):
    x, z, y = np.random.default_rng(2).normal(size=(3, 40))
    X = np.column_stack(make_columns(x, z))
    basis = make_basis(X, y)
    assert basis.kept.tolist() == kept
    np.testing.assert_allclose(basis.q @ basis.root, X[:, kept], atol=1e-10)


@pytest.mark.parametrize("in_order", [True, False])
def test_level_products_of_busy_levels_agree_with_sums_row_by_row(in_order):
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 4, 2000)
    block = Block(np.sort(codes) if in_order else codes, rng.normal(size=(2000, 3)), n_levels=5, unit=False)
    columns = rng.normal(size=(2000, 2))
    grams, sums = level_products(block, columns)
    for level in range(5):
        mine = block.codes == level
        np.testing.assert_allclose(grams[level], block.z[mine].T @ block.z[mine], atol=1e-10)
        np.testing.assert_allclose(sums[level], block.z[mine].T @ columns[mine], atol=1e-10)
