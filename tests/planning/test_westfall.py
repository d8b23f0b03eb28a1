"""The formula of Westfall, Kenny and Judd for two crossed random factors, against models and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

SHARES = {
    "residual": 0.3,
    "participant": 0.2,
    "stimulus": 0.15,
    "participant_condition": 0.1,
    "stimulus_condition": 0.05,
    "participant_stimulus": 0.2,
}
P, Q = 8, 12


def rows(design):
    """Participants p, stimuli q and condition c of every observation."""
    p, q = (codes.ravel() for codes in np.meshgrid(np.arange(P), np.arange(Q), indexing="ij"))
    if design == "crossed":
        return np.tile(p, 2), np.tile(q, 2), np.repeat([-1.0, 1.0], P * Q)
    sides = {"counterbalanced": (p + q) % 2, "stimuli within": q % 2, "participants within": p % 2}
    if design == "both within":
        kept = p % 2 == q % 2
        return p[kept], q[kept], 2.0 * (p[kept] % 2) - 1.0
    return p, q, 2.0 * sides[design] - 1.0


@pytest.mark.parametrize(
    "design", ["crossed", "counterbalanced", "stimuli within", "participants within", "both within"]
)
def test_the_standard_error_is_that_of_generalized_least_squares(design):
    p, q, c = rows(design)
    Z = {"participant": np.eye(P)[p], "stimulus": np.eye(Q)[q], "participant_stimulus": np.eye(P * Q)[p * Q + q]}
    Z |= {"participant_condition": c[:, None] * Z["participant"], "stimulus_condition": c[:, None] * Z["stimulus"]}
    V = SHARES["residual"] * np.eye(len(c)) + sum(SHARES[name] * z @ z.T for name, z in Z.items())
    X = np.column_stack([np.ones(len(c)), c])
    cov = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    found = ms.crossed_power(0.5, P, Q, design=design, **SHARES)
    assert found.se == pytest.approx(2.0 * np.sqrt(cov[1, 1]), rel=1e-9)
    assert found.ncp == pytest.approx(0.5 / found.se)


def test_degrees_of_freedom_are_those_of_a_balanced_fit():
    p, q, c = rows("crossed")
    rng = np.random.default_rng(4)
    y = (
        rng.normal(size=P)[p]
        + rng.normal(size=Q)[q]
        + 0.8 * rng.normal(size=(P, Q))[p, q]
        + 0.7 * rng.normal(size=len(c))
    )
    y += c * (0.3 + 0.8 * rng.normal(size=P)[p] + 0.6 * rng.normal(size=Q)[q])
    data = pd.DataFrame({"y": y, "p": p.astype(str), "q": q.astype(str), "c": c})
    fit = ms.lmer("y ~ c + (1 + c || p) + (1 + c || q) + (1 | p:q)", data)
    assert not fit.singular
    found = {(row.grp.split(".")[0], row.var1): row.vcov for row in fit.varcorr().itertuples()}
    planned = ms.crossed_power(
        0.5,
        P,
        Q,
        residual=fit.scale,
        participant=found["p", "Intercept"],
        stimulus=found["q", "Intercept"],
        participant_condition=found["p", "c"],
        stimulus_condition=found["q", "c"],
        participant_stimulus=found["p:q", "Intercept"],
    )
    row = fit.coef_table().loc["c"]
    assert planned.df == pytest.approx(row["df"], rel=1e-4)
    total = fit.scale + sum(found[key] for key in found if key[0] != "Residual")
    assert planned.se * np.sqrt(total) == pytest.approx(2.0 * row["SE"], rel=1e-6)


def test_power_is_that_of_the_noncentral_t():
    from scipy.stats import nct, t

    found = ms.crossed_power(0.6, 20, 24, design="stimuli within", alpha=0.01)
    limit = t.isf(0.005, found.df)
    assert found.power == pytest.approx(nct.sf(limit, found.df, found.ncp) + nct.cdf(-limit, found.df, found.ncp))
    assert ms.crossed_power(0.0, 20, 24).power == pytest.approx(0.05)
    assert ms.crossed_power(-0.6, 20, 24).power == pytest.approx(ms.crossed_power(0.6, 20, 24).power)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"participants": 1}, "participants=1 must be a number of at least 2"),
        ({"stimuli": 2, "design": "both within"}, "stimuli=2 must be a number of at least 3 in the design"),
        ({"design": "nested"}, "design='nested' is not known"),
        ({"residual": -1}, "residual=-1 must be a variance"),
        ({"d": np.nan}, "d=nan must be a finite number"),
        ({"alpha": 5}, "alpha=5 must lie between 0 and 1"),
        (dict.fromkeys(SHARES, 0), "All variance components are 0"),
    ],
)
def test_impossible_designs_are_refused(arguments, message):
    with pytest.raises(ms.OptionError, match=message):
        ms.crossed_power(**{"d": 0.5, "participants": 20, "stimuli": 20, **arguments})
