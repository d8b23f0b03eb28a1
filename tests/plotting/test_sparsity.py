"""Patterns against those of explicit matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import mixedsparse as ms
from mixedsparse.plotting.sparsity import factor_pattern, gram_pattern

pytest.importorskip("matplotlib")


def dense(pattern):
    out = np.zeros((pattern.q, pattern.q), dtype=bool)
    out[pattern.rows, pattern.columns] = True
    tail = pattern.dense_from
    out[tail:, tail:] |= np.tri(pattern.q - tail, dtype=bool)
    return out


def test_gram_of_terms_that_need_no_reordering(oats):
    Z = oats.get("Z")
    np.testing.assert_array_equal(dense(gram_pattern(oats._fitted)), (Z.T @ Z).toarray() != 0)
    assert list(gram_pattern(oats._fitted).runs.items()) == [("Block:Variety", (0, 18)), ("Block", (18, 24))]


def test_split_factor_holds_the_whole_cholesky_factor(oats):
    pattern = factor_pattern(oats._fitted)
    Z, Lam = oats.get("Z"), oats.get("Lam")
    L = np.linalg.cholesky((Lam.T @ Z.T @ Z @ Lam + sparse.eye_array(Z.shape[1])).toarray())
    assert not (np.abs(L) > 1e-12)[~dense(pattern)].any()
    assert pattern.nnz == dense(pattern).sum()


def test_cholmod_factor(oats):
    pytest.importorskip("sksparse.cholmod")
    model = ms.LinearMixedModel("yield ~ 1 + (1 | Block/Variety)", ms.datasets.load("Oats"))
    model._engines.made["auto"] = model.engine("cholmod")
    pattern = factor_pattern(model.fit()._fitted)
    assert not pattern.runs
    assert (pattern.rows >= pattern.columns).all()
    assert pattern.nnz >= gram_pattern(model.fit()._fitted).nnz / 2


def test_large_matrices_are_shaded_by_cell(many):
    pattern = gram_pattern(many._fitted)
    shares = pattern.shares()
    assert shares.shape == (300, 300)
    width = np.bincount(np.arange(pattern.q) * 300 // pattern.q)
    assert (shares * np.outer(width, width)).sum() == pytest.approx(pattern.nnz)
