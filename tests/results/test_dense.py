"""Random effects, their covariances and the marginal covariance against dense algebra, on a crossed design."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.results.oracle import ITEMS, SUBJECTS, crossed_model, dense

EXACT = 1e-9  # both sides are double precision; n x n solves cost a few digits


@pytest.fixture(scope="module", params=[True, False], ids=["REML", "ML"])
def results(request):
    return crossed_model().fit(reml=request.param)


@pytest.fixture(scope="module")
def oracle(results):
    return dense(results)


def test_design_is_not_degenerate(results):
    assert results.converged
    assert not results.singular
    assert results.model.problem.order != tuple(range(4))


def test_random_effects(results, oracle):
    assert list(results.random_effects) == ["subject", "item"]
    for group, frame in results.random_effects.items():
        np.testing.assert_allclose(frame, oracle.modes[oracle.at(group, frame.index, frame.columns)], atol=EXACT)


def test_terms_of_one_factor_stand_in_formula_order(results):
    frames = results.random_effects
    assert list(frames["subject"].columns) == ["x", "z", "Intercept"]
    assert list(frames["item"].columns) == ["Intercept", "x"]
    assert frames["subject"].index.tolist() == [f"s{i:02d}" for i in range(SUBJECTS)]
    assert frames["item"].index.tolist() == list(range(ITEMS))


def test_conditional_covariance(results, oracle):
    for group, cov in results.random_effects_cov.items():
        frame = results.random_effects[group]
        at = oracle.at(group, frame.index, frame.columns)
        assert cov.shape == (*frame.shape, frame.shape[1])
        for level, mine in enumerate(cov):
            np.testing.assert_allclose(mine, oracle.cov[np.ix_(at[level], at[level])], atol=EXACT)


def test_conditional_covariance_when_factors_share_their_codes():
    # Two names for one factor make one block: each name gets the columns of its own terms.
    model = crossed_model()
    design = model.design
    twins = [*design.terms[:3], type(design.terms[3])("twin", design.terms[3].codes, np.ones(len(design.y)))]
    results = type(model).from_arrays(design.y, design.X, twins, weights=design.weights).fit()
    oracle = dense(results)
    assert list(results.random_effects_cov) == ["subject", "twin", "item"]
    for group, cov in results.random_effects_cov.items():
        frame = results.random_effects[group]
        at = oracle.at(group, frame.index, frame.columns)
        np.testing.assert_allclose(cov[3], oracle.cov[np.ix_(at[3], at[3])], atol=EXACT)


def test_cov_params(results, oracle):
    np.testing.assert_allclose(results.cov_params(), oracle.cov_beta, rtol=1e-8)


def test_cov_re_is_block_diagonal_over_the_terms(results):
    cov = results.cov_re["subject"]
    assert list(cov.columns) == list(cov.index) == ["x", "z", "Intercept"]
    assert cov.loc["x", "z"] != 0
    assert (cov.loc["Intercept", ["x", "z"]] == 0).all()
    for group, frame in results.cov_re.items():
        np.testing.assert_allclose(np.diag(frame), results.vcomp[group].to_numpy())


def test_varcorr_numbers_the_further_terms(results):
    table = results.varcorr()
    rows = [tuple(row) for row in table[["grp", "var1", "var2"]].to_numpy()]
    assert rows == [
        ("subject", "x", None),
        ("subject", "z", None),
        ("subject", "x", "z"),
        ("subject.1", "Intercept", None),
        ("item", "Intercept", None),
        ("item.1", "x", None),
        ("Residual", None, None),
    ]
    cov = results.cov_re["subject"]
    correlation = cov.loc["x", "z"] / np.sqrt(cov.loc["x", "x"] * cov.loc["z", "z"])
    assert table.loc[2, ["vcov", "sdcor"]].tolist() == pytest.approx([cov.loc["x", "z"], correlation])


def test_marginal_cov(results, oracle):
    rows = [0, 7, 12, 50, 119]
    cov = results.marginal_cov(rows)
    assert cov.index.tolist() == cov.columns.tolist() == rows
    np.testing.assert_allclose(cov, oracle.V[np.ix_(rows, rows)], rtol=1e-12)
    np.testing.assert_allclose(results.marginal_cov(slice(None)), oracle.V, rtol=1e-12)


def test_matrices_reproduce_the_fit(results, oracle):
    get = results.get
    Z, Lam = get("Z").toarray(), get("Lam").toarray()
    np.testing.assert_allclose(Lam @ get("u"), get("b"), atol=EXACT)
    np.testing.assert_allclose(get("b"), oracle.modes, atol=EXACT)
    design = results.model.design
    fitted = get("X") @ get("beta") + Z @ get("b") + design.offset
    np.testing.assert_allclose(results.fittedvalues, fitted, atol=EXACT)
    np.testing.assert_allclose(results.resid, get("y") - fitted, atol=EXACT)
    scaled = results.resid * np.sqrt(design.weights) / get("sigma")
    np.testing.assert_allclose(results.resid_scaled, scaled, atol=EXACT)
    V = get("sigma") ** 2 * (Z @ Lam @ Lam.T @ Z.T + np.diag(1 / design.weights))
    np.testing.assert_allclose(V, oracle.V, rtol=1e-12)
    assert (get("theta") == results.theta).all()


def test_vcomp_index(results):
    assert results.vcomp.index.names == ["group", "effect"]
    assert results.vcomp.index[:3].tolist() == [("subject", "x"), ("subject", "z"), ("subject", "Intercept")]
    assert isinstance(results.vcomp.index, pd.MultiIndex)
