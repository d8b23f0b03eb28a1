"""Every reference fit by lme4: criterion at given theta (no optimiser involved), then everything at the optimum."""

from __future__ import annotations

import re
import warnings
from functools import cache

import numpy as np
import pytest

import mixedsparse as ms
from tests.golden_cases import GoldenCase, cases

# Both programs sum the same doubles in another order.
AT_THETA_REL = 1e-10
# Several optimisers agree on the reference optimum to `criterion_uncertainty`; lower than that is as wrong as higher.
CRITERION_ABS, UNCERTAINTIES = 1e-6, 10
# Above this size R's own criterion has less than 1e-6 of rounding to spare.
LARGE, CRITERION_LARGE_ABS = 20_000, 2e-5
# Data moved by 1e8 or scaled by millions: lme4 solves on cross-products as they are and loses these digits itself.
CRITERION_SCALED_ABS, SIGMA_SCALED_REL = 1e-3, 1e-4
# The criterion is flat at its minimum: an error of 1e-6 there is one of about 1e-4 in standard units of a parameter.
SIGMA_REL = 1e-5
BETA_IN_SE = SE_REL = 2e-4
VARCORR_REL, THETA_REL = 2e-3, 2e-3
FITTED_IN_SIGMA, RESID_REL = 1e-3, 1e-4
MODES_REL, CONDITIONAL_SD_REL = 5e-3, 2e-3
# Effects this small beside sigma are zeros that lme4's search has not quite reached.
NO_SPREAD = 1e-6


def comparable(case: GoldenCase) -> bool:
    """Not a spline (R and formulaic place the boundary knots differently), nor REML on another polynomial basis."""
    other_double_bar = "||" in case.formula and case.random_coding_differs()
    return not (other_double_bar or "ns(" in case.formula or (case.basis_differs() and case.want["reml"]))


def same_parameters(case: GoldenCase) -> bool:
    return not case.random_coding_differs() and not case.basis_differs() and case.want["theta_identifiable"]


def is_scaled(case: GoldenCase) -> bool:
    return case.want["rescaled"] or "1e8" in case.formula


CASES = [pytest.param(case, id=case.name) for case in cases() if comparable(case)]
PARAMETERS = [pytest.param(case, id=case.name) for case in cases() if comparable(case) and same_parameters(case)]
AT_THETA = [p for p in PARAMETERS if not is_scaled(p.values[0])]


@cache
def model_of(name: str) -> ms.LinearMixedModel:
    case = next(case for case in cases() if case.name == name)
    return ms.LinearMixedModel(case.formulaic(), case.data(), **case.arguments())


@cache
def fit_of(name: str, reml: bool) -> ms.MixedResults:
    with warnings.catch_warnings():  # dropped rows and columns, singular fits: many of the cases
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return model_of(name).fit(reml)


def fit(case: GoldenCase) -> ms.MixedResults:
    return fit_of(case.name, case.want["reml"])


def criterion_tolerance(case: GoldenCase) -> float:
    if is_scaled(case):
        return CRITERION_SCALED_ABS
    if case.want["nobs"] > LARGE:
        return CRITERION_LARGE_ABS
    return max(CRITERION_ABS, UNCERTAINTIES * (case.want["criterion_uncertainty"] or 0.0))


def reference_order(case: GoldenCase, results: ms.MixedResults) -> list[int]:
    """Position of each of R's coefficients among ours: the nearest (estimate, SE) pair, each taken once."""
    left, order = list(range(len(results.params))), []
    mine = np.column_stack([results.params, results.bse])
    for beta, se in zip(case.want["beta"], case.want["se"], strict=True):
        nearest = min(left, key=lambda i: np.abs(mine[i] - [beta, se]).sum())
        left.remove(nearest)
        order.append(nearest)
    return order


@pytest.mark.parametrize("case", AT_THETA)
def test_criterion_at_given_theta(case):
    model = model_of(case.name)
    for point in case.want["criterion_at"]:
        values = [model.objective(theta, case.want["reml"]) for theta in case.theta_candidates(point["theta"])]
        assert min(abs(v - point["value"]) for v in values) < AT_THETA_REL * abs(point["value"])


@pytest.mark.parametrize("case", CASES)
def test_criterion_at_the_optimum(case):
    results, want, tolerance = fit(case), case.want, criterion_tolerance(case)
    assert results.converged
    assert results.criterion == pytest.approx(want["criterion"], abs=tolerance)
    assert results.aic == pytest.approx(want["AIC"], abs=tolerance)
    assert results.bic == pytest.approx(want["BIC"], abs=tolerance)
    assert (results.nobs, results.df_model) == (want["nobs"], want["df"])
    assert results.sigma == pytest.approx(want["sigma"], rel=SIGMA_SCALED_REL if is_scaled(case) else SIGMA_REL)


@pytest.mark.parametrize("case", CASES)
def test_fixed_effects(case):
    results, want = fit(case), case.want
    assert len(results.dropped_columns) == len(want["dropped_columns"])
    if case.basis_differs():
        return
    order, se = reference_order(case, results), np.array(want["se"])
    np.testing.assert_array_less(np.abs(results.params.to_numpy()[order] - want["beta"]) / se, BETA_IN_SE)
    np.testing.assert_allclose(results.bse.to_numpy()[order], se, rtol=SE_REL)


@pytest.mark.parametrize("case", CASES)
def test_fitted_values(case):
    results, want = fit(case), case.want
    head = results.fittedvalues.to_numpy()[: len(want["fitted_head"])]
    np.testing.assert_allclose(head, want["fitted_head"], rtol=0, atol=FITTED_IN_SIGMA * want["sigma"])
    assert np.square(results.resid).sum() == pytest.approx(want["resid_sumsq"], rel=RESID_REL)


@pytest.mark.parametrize("case", PARAMETERS)
def test_covariance_parameters(case):
    results, want = fit(case), case.want
    # Sorted, since the order of terms and effects may differ.
    mine = np.sort(results.varcorr().query("grp != 'Residual'")["vcov"].to_numpy())
    covs = [np.array(term["cov"], dtype=float) for term in want["varcorr"]]
    theirs = np.sort(np.concatenate([cov[np.tril_indices(len(cov))] for cov in covs]))
    size = np.abs(theirs) if is_scaled(case) else max(np.abs(theirs).max(), 1e-3 * want["sigma"] ** 2)
    np.testing.assert_array_less(np.abs(mine - theirs) / np.maximum(size, 1e-12 * np.abs(theirs).max()), VARCORR_REL)


@pytest.mark.parametrize("case", [p for p in PARAMETERS if not p.values[0].want["singular"]])
def test_theta(case):
    # A singular covariance has many factors; the others have one, up to the order of the terms.
    mine = np.sort(np.abs(fit(case).theta))
    theirs = np.sort(np.abs(case.want["theta"]))
    np.testing.assert_allclose(mine, theirs, rtol=0, atol=THETA_REL * theirs.max())


@pytest.mark.parametrize("case", PARAMETERS)
def test_random_effects(case):
    results = fit(case)
    for group, want in case.want["ranef"].items():
        modes, sd = labelled_modes(results, group)
        rows = [modes.index.get_loc(level) for level in want["levels"]]
        theirs, mine = np.array(want["values"], dtype=float), modes.to_numpy()[rows]
        segments = [len(t["columns"]) for t in case.want["random_terms"] if t["group"] == group]
        spread = np.maximum(modes.std(ddof=0).to_numpy(), NO_SPREAD * case.want["sigma"])
        orders = [list(range(theirs.shape[1])), reversed_terms(segments)]  # lme4 reverses ties
        errors = [np.abs(mine - theirs[:, order]) / spread for order in orders]
        assert min(e.max() for e in errors) < MODES_REL
        if "condsd" in want and len(segments) == 1:
            nothing = NO_SPREAD * case.want["sigma"]
            condsd = np.array(want["condsd"], dtype=float)
            np.testing.assert_allclose(sd[rows], condsd, rtol=0, atol=CONDITIONAL_SD_REL * max(condsd.max(), nothing))


def labelled_modes(results: ms.MixedResults, group: str):
    """Modes of one factor by the text of its level, and their conditional standard deviations; a:b may be our b:a."""
    turned = ":".join(reversed(group.split(":")))
    mine = group if group in results.random_effects else turned
    modes = results.random_effects[mine].copy()
    modes.index = modes.index.astype(str)
    if mine != group:
        modes.index = [":".join(reversed(level.split(":"))) for level in modes.index]
    return modes, np.sqrt(np.diagonal(results.random_effects_cov[mine], axis1=1, axis2=2))


def reversed_terms(segments: list[int]) -> list[int]:
    ends = np.cumsum(segments)
    return [c for end, size in reversed(list(zip(ends, segments, strict=True))) for c in range(end - size, end)]


def test_cases_that_are_left_out_are_few_and_known():
    left_out = {case.name for case in cases()} - {p.id for p in CASES}
    assert all(re.search(r"ns\(|poly\(|\|\|", case.formula) for case in cases() if case.name in left_out)
    assert len(left_out) <= 3
