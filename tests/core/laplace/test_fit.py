"""Fits of known data against glmmTMB 1.1.5 (same likelihood) and lme4, and verdicts where there is no optimum."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixedsparse import RandomTerm, datasets
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.fitting.laplace import GeneralizedFit, conditional_blocks, fit_generalized
from mixedsparse.core.likelihood.family import FAMILIES
from mixedsparse.core.likelihood.laplace.fast import FastCriterion
from mixedsparse.core.problem.problem import make_problem
from mixedsparse.ground.errors import DataError
from mixedsparse.ground.options import FitOptions
from tests.core.laplace.oracle import Dense, gradient


def fit(
    family: str,
    link: str,
    y: Any,
    X: Any,
    terms: list[RandomTerm],
    weights: Any = None,
    offset: Any = None,
    *,
    backend: str = "auto",
    **options: Any,
) -> GeneralizedFit:
    problem = make_problem(np.zeros(len(y)), np.asarray(X, dtype=float), terms)
    engine = make_engine(problem, backend)
    return fit_generalized(engine, FAMILIES[family](link), np.asarray(y, dtype=float), weights, offset, **options)


def term(data: pd.DataFrame, group: str, *columns: str) -> RandomTerm:
    codes, levels = pd.factorize(data[group], sort=True)
    z = np.column_stack([np.ones(len(data)), *(data[c].to_numpy(float) for c in columns)])
    return RandomTerm(group, codes, z, ("Intercept", *columns), np.asarray(levels))


def cbpp(link: str, **options: Any) -> GeneralizedFit:
    data = datasets.load("cbpp")
    X = np.column_stack([np.ones(len(data)), pd.get_dummies(data["period"], dtype=float).iloc[:, 1:]])
    y = data["incidence"] / data["size"]
    return fit("binomial", link, y, X, [term(data, "herd")], data["size"].to_numpy(float), **options)


def test_cbpp_logit() -> None:
    found = cbpp("logit")
    assert found.criterion == pytest.approx(184.0525637429945, abs=1e-7)  # lme4 1.1-31, 13 digits
    assert found.beta == pytest.approx([-1.398532, -0.992333, -1.128672, -1.580314], abs=2e-5)
    # glmmTMB: from the joint Hessian.
    se = np.sqrt(np.diag(found.cov_beta))
    assert se == pytest.approx([0.23247205, 0.30664249, 0.32663781, 0.42743660], rel=1e-5)
    assert found.certificate.verdict == "converged"
    assert found.evaluations <= 5


def test_cbpp_probit_has_the_observed_information() -> None:
    # At these parameters lme4 (Fisher weights) has 201.4196.
    assert cbpp("probit").criterion < 201.5


def grouse(family: str, *groups: str, **options: Any) -> GeneralizedFit:
    data = datasets.load("grouseticks")
    years = pd.get_dummies(data["YEAR"].astype(str), dtype=float).iloc[:, 1:]
    X = np.column_stack([np.ones(len(data)), years, data["cHEIGHT"]])
    return fit(family, "log", data["TICKS"], X, [term(data, g) for g in groups], **options)


@pytest.mark.parametrize("backend", ["split", "cholmod"])
def test_grouseticks_negative_binomial(backend: str) -> None:
    if backend == "cholmod":
        pytest.importorskip("sksparse")
    found = grouse("negative_binomial", "BROOD", "LOCATION", backend=backend)
    assert -0.5 * found.criterion == pytest.approx(-888.9084258899, abs=1e-7)
    assert found.beta == pytest.approx([0.5237148426, 1.1671723226, -0.9882473661, -0.0236784075], abs=1e-6)
    assert np.sqrt(np.diag(found.cov_beta)) == pytest.approx(
        [0.1947500264, 0.2328940969, 0.2571050787, 0.0035084467], rel=1e-5
    )
    assert found.dispersion == pytest.approx(3.293007, rel=1e-4)  # glmmTMB
    assert found.evaluations <= 14


def test_grouseticks_with_a_level_per_row() -> None:
    found = grouse("poisson", "INDEX", "BROOD", "LOCATION")
    assert found.certificate.verdict == "converged"
    assert found.evaluations <= 14
    dense = Dense(
        found.family, found.data.y, found.data.Q @ found.data.root, found.data.problem.terms, found.data.m,
        found.data.offset,
    )  # fmt: skip
    assert found.criterion == pytest.approx(dense.laplace(found.theta, found.beta), abs=1e-7)


def test_pieces_and_conditional_covariances_are_those_of_the_dense_matrix() -> None:
    found = cbpp("cloglog")
    data = found.data
    dense = Dense(found.family, data.y, data.Q @ data.root, data.problem.terms, data.m, data.offset)
    assert sum(found.pieces) == pytest.approx(found.criterion, abs=1e-9)
    lam = dense.factor(found.theta)
    w = found.family.rows(data.y, data.m, found.eta).w
    want = lam @ np.linalg.inv(lam.T @ dense.Z.T @ (w[:, None] * dense.Z) @ lam + np.eye(lam.shape[0])) @ lam.T
    (got,) = conditional_blocks(found)
    assert got[:, 0, 0] == pytest.approx(np.diag(want), rel=1e-9)
    assert found.modes[0][:, 0] == pytest.approx(lam @ dense.mode(found.theta, found.beta, 0.0), abs=1e-9)


def test_a_start_at_the_optimum_is_kept() -> None:
    first = cbpp("logit")
    again = cbpp("logit", start=np.concatenate([first.theta, first.beta]))
    assert again.evaluations == 1
    assert again.criterion == pytest.approx(first.criterion, abs=1e-9)


def test_few_evaluations_are_told() -> None:
    found = cbpp("logit", options=FitOptions(max_evals=2))
    assert found.certificate.verdict == "stopped early"
    assert not found.certificate.converged


def simulated(seed: int, groups: int = 25, rows: int = 12) -> tuple[np.ndarray, np.ndarray, RandomTerm]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), rows)
    x = rng.integers(0, 2, size=len(codes)).astype(float)
    eta = 0.4 * x + rng.normal(size=groups)[codes]
    y = (rng.random(len(codes)) < 1 / (1 + np.exp(-eta))).astype(float)
    return y, np.column_stack([np.ones(len(codes)), x]), RandomTerm("g", codes, np.ones((len(codes), 1)))


def test_a_separated_cell_has_a_verdict_and_no_number() -> None:
    y, X, group = simulated(1)
    y[X[:, 1] == 1] = 1.0
    found = fit("binomial", "logit", y, X, [group])
    assert found.certificate.verdict == "separated"
    assert 1 in found.certificate.columns
    assert (X[list(found.certificate.rows), 1] == 1).all()
    assert np.isnan(found.beta).all()


def test_a_count_that_is_always_zero_in_a_cell_is_separated() -> None:
    y, X, group = simulated(2)
    y[X[:, 1] == 0] = 0.0
    found = fit("poisson", "log", y, X, [group])
    assert found.certificate.verdict == "separated"


def test_constant_levels_have_no_variance() -> None:
    y, X, group = simulated(3)
    y = (group.codes % 2).astype(float)
    found = fit("binomial", "logit", y, X, [group])
    assert found.certificate.verdict == "variance not estimable"
    assert found.certificate.groups == ("g",)
    assert np.isnan(found.theta).all()


def test_a_few_constant_levels_do_no_harm() -> None:
    y, X, group = simulated(4)
    y[group.codes < 2] = 1.0
    assert fit("binomial", "logit", y, X, [group]).certificate.verdict == "converged"


def test_a_constant_response_is_refused() -> None:
    _, X, group = simulated(5)
    with pytest.raises(DataError, match="constant response"):
        fit("binomial", "logit", np.ones(len(X)), X, [group])


def test_no_variance_is_the_boundary() -> None:
    _, X, group = simulated(6)
    y = np.tile([0.0, 1.0, 1.0], len(X) // 3)
    found = fit("binomial", "logit", y, X, [group])
    assert found.certificate.verdict == "converged on the boundary"
    assert found.theta[0] == 0.0
    assert found.evaluations <= 12
    assert found.covariance is not None
    assert np.isnan(found.covariance[0, 0])
    assert np.isfinite(found.cov_beta).all()


def test_one_binary_outcome_per_level_is_told() -> None:
    y, X, group = simulated(7)
    alone = RandomTerm("row", np.arange(len(y)), np.ones((len(y), 1)))
    found = fit("binomial", "logit", y, X, [group, alone])
    assert found.certificate.verdict == "variance not estimable"
    assert found.certificate.groups == ("row",)
    assert np.isnan(found.theta).all()
    slope = RandomTerm("row", np.arange(len(y)), X[:, 1:2])  # tells little, and has an optimum
    found = fit("binomial", "logit", y, X, [group, slope])
    assert any("row" in hint for hint in found.certificate.hints)


def test_without_nodes_coefficients_are_those_of_penalised_least_squares() -> None:
    """glmer(..., nAGQ = 0), lme4 1.1-31."""
    found = cbpp("logit", nodes=0)
    assert found.criterion == pytest.approx(184.10859094564, abs=1e-8)
    assert found.theta == pytest.approx([0.64181506953], abs=1e-6)
    assert found.beta == pytest.approx([-1.36047175523, -0.97617747108, -1.11107689344, -1.55968051580], abs=1e-6)
    assert found.criterion > cbpp("logit").criterion
    assert any("nAGQ=1" in hint for hint in found.certificate.hints)
    assert found.covariance is None


def test_without_nodes_the_gradient_is_that_of_the_profile() -> None:
    found = grouse("negative_binomial", "BROOD", "LOCATION", nodes=0)
    criterion = FastCriterion(found.data)
    assert found.point is not None
    at = np.concatenate([found.point.vector[:2] + 0.1, found.point.vector[2:-1], [found.point.vector[-1] - 0.2]])
    point = criterion.evaluate(at, criterion.at_rest())
    got = criterion.gradient(point)[[0, 1, -1]]

    def value(free: np.ndarray) -> float:
        vector = at.copy()
        vector[[0, 1, -1]] = free
        return criterion.evaluate(vector, point.mode.zeta).criterion

    assert got == pytest.approx(gradient(value, at[[0, 1, -1]]), rel=1e-6, abs=1e-6)
