"""The kernels of the floor do what they stand for."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from benchmarks.limits.floor import coupling_rows, kernels, rest_size, stripes, subtract_pairs

MODELS = {
    "intercepts": ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    "slopes": ("Machines", "score ~ 1 + (1 | Machine) + (Machine | Worker)"),
}


def problem(name):
    data, formula = MODELS[name]
    return ms.LinearMixedModel(formula, ms.datasets.load(data)).problem


def dense_cross_products(of):
    """Z'Z block by block, from the pairs of the problem."""
    starts = np.cumsum([0, *(k * n for k, n in zip(of.layout.widths, of.layout.n_levels, strict=True))])
    out = np.zeros((starts[-1], starts[-1]))
    for (s, t), pairs in of.pairs.items():
        ks, kt = of.layout.widths[s], of.layout.widths[t]
        for row, column, value in zip(pairs.rows, pairs.indices, pairs.data, strict=True):
            top, left = starts[s] + row * ks, starts[t] + column * kt
            out[top : top + ks, left : left + kt] = value
    return starts, out + out.T


@pytest.mark.parametrize("name", MODELS)
def test_rows_of_the_coupling_make_the_schur_update(name):
    """S'S has the same eigenvalues as A_21 A_12, whatever the order of effects in the rest."""
    of = problem(name)
    sizes = np.multiply(of.layout.widths, of.layout.n_levels)
    first = int(np.argmax(sizes))
    starts, cross = dense_cross_products(of)
    mine = np.zeros(starts[-1], dtype=bool)
    mine[starts[first] : starts[first + 1]] = True
    rows = coupling_rows(of).toarray()
    assert rows.shape == (sizes.max(), rest_size(of))
    np.testing.assert_allclose(
        np.linalg.eigvalsh(rows.T @ rows),
        np.linalg.eigvalsh(cross[np.ix_(~mine, mine)] @ cross[np.ix_(mine, ~mine)]),
        atol=1e-9 * np.square(rows).sum(),
    )


def test_the_loop_subtracts_the_lower_triangle():
    rows = coupling_rows(problem("intercepts"))
    out = np.zeros((rows.shape[1], rows.shape[1]))
    subtract_pairs.py_func(out, rows.indptr, rows.indices, rows.data, stripes(len(out)))
    np.testing.assert_allclose(out, -np.tril((rows.T @ rows).toarray()), rtol=1e-13)


def test_kernels_can_be_repeated():
    run = {name: kernel for name, kernel in kernels(problem("slopes")).items() if name != "pass (loop)"}  # compiles
    assert set(run) == {"potrf", "potri", "pass (syrk)"}
    assert all(kernel() >= 0 for _ in range(2) for kernel in run.values())
