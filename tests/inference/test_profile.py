"""Likelihood profiles: against lme4, against brute force, on the boundary, and what is refused."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

import mixedsparse as ms
from tests.golden_cases import cases
from tests.limits import limited
from tests.models import DESIGNS, make
from tests.oracle import one_hot

SLEEP = "Reaction ~ Days + (Days | Subject)"

# lme4 1.1-31: confint(profile(lmer(formula, data)), level = level); its splines err by up to 3e-4 of a width.
LME4 = [
    (
        SLEEP,
        "sleepstudy",
        0.95,
        {
            "Intercept": (237.6806955052, 265.1295146802),
            "Days": (7.3586532751, 13.5759187517),
            "sd(Intercept|Subject)": (14.3814732265, 37.7159917194),
            "sd(Days|Subject)": (3.8011642690, 8.7533850633),
            "cor(Intercept,Days|Subject)": (-0.4815007594, 0.6849862502),
            "sigma": (22.8982668821, 28.8579965114),
        },
    ),
    (
        "diameter ~ 1 + (1 | plate) + (1 | sample)",
        "Penicillin",
        0.95,
        {
            "Intercept": (21.2666273836, 24.6778176162),
            "sd(Intercept|plate)": (0.6335659670, 1.1821039760),
            "sd(Intercept|sample)": (1.0957893024, 3.5562909526),
            "sigma": (0.4858454002, 0.6294534785),
        },
    ),
    (
        "Yield ~ 1 + (1 | Batch)",
        "Dyestuff",
        0.95,
        {
            "Intercept": (1486.45149997, 1568.54849437),
            "sd(Intercept|Batch)": (12.19853521, 84.06304671),
            "sigma": (38.22998488, 67.65769624),
        },
    ),
    (
        "Yield ~ 1 + (1 | Batch)",
        "Dyestuff",
        0.8,
        {
            "Intercept": (1503.17959731, 1551.82039687),
            "sd(Intercept|Batch)": (21.20106365, 62.29387562),
            "sigma": (41.59316414, 60.29786107),
        },
    ),
    (
        "Yield ~ 1 + (1 | Batch)",
        "Dyestuff2",
        0.95,
        {
            "Intercept": (4.312100217, 7.019092347),
            "sd(Intercept|Batch)": (0.0, 2.084043489),
            "sigma": (2.892831020, 4.815832552),
        },
    ),
]


def fitted(formula, data, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return ms.lmer(formula, data, **options)


@pytest.fixture(scope="module")
def sleep():
    return ms.lmer(SLEEP, ms.datasets.load("sleepstudy"))


@pytest.mark.parametrize(("formula", "data", "level", "want"), LME4)
def test_limits_match_lme4(formula, data, level, want):
    got = fitted(formula, ms.datasets.load(data)).conf_int(1 - level, method="profile", which="all")
    assert list(got.index) == list(want)
    limits = np.array(list(want.values()))
    width = limits[:, 1] - limits[:, 0]
    assert (np.abs(got.to_numpy() - limits) / width[:, None]).max() < 3e-4


GOLDEN = json.loads((Path(__file__).parent / "golden" / "profiles.json").read_text())["limits"]
CASES = {case.name: case for case in cases()}


@pytest.mark.parametrize("level", ["0.95", "0.8"])
@pytest.mark.parametrize("name", GOLDEN)
def test_golden_profiles(name, level):
    case, want = CASES[name], np.array(list(GOLDEN[name][level].values()))
    fit = fitted(case.formulaic(), case.data(), reml=case.want["reml"], **case.arguments())
    got = fit.conf_int(1 - float(level), method="profile", which="all").to_numpy()
    assert got.shape == want.shape
    # Names differ between the programs, limits identify the rows.
    rows = [int(np.abs(got - limits).sum(axis=1).argmin()) for limits in want]
    assert sorted(rows) == list(range(len(want)))
    assert (np.abs(got[rows] - want) / np.ptp(want, axis=1)[:, None]).max() < 1e-3


def deviance(small, beta, covariances, sigma):
    """-2 log-likelihood by its definition."""
    n = len(small.y)
    V = sigma**2 * np.eye(n)
    for term, cov in zip(small.terms, covariances, strict=True):
        Z = one_hot(term)
        V += Z @ np.kron(np.eye(term.n_levels), cov) @ Z.T
    residual = small.y - small.X_kept @ beta
    return n * np.log(2 * np.pi) + np.linalg.slogdet(V)[1] + residual @ np.linalg.solve(V, residual)


@pytest.mark.parametrize("reml", [True, False])
def test_points_of_the_table_are_conditional_optima(reml):
    """Brute force: hold one parameter, minimise the dense deviance over the others by Nelder-Mead."""
    small = make("slopes", 1)
    fit = small.model().fit(reml)
    profile = fit.profile(level=0.95)
    least = fit.model.fit(False).criterion
    table = profile.table

    def value(row, held, moved):
        row = row.copy()
        row[[n for n in profile.curves if n != held]] = moved
        sd, r = np.array([row["sd(z0|g)"], row["sd(z1|g)"]]), row["cor(z0,z1|g)"]
        cov = np.outer(sd, sd) * np.array([[1, r], [r, 1]])
        if min(*sd, row["sigma"]) <= 0 or abs(r) > 1:
            return np.inf
        return deviance(small, row[["x0", "x1"]].to_numpy(float), [cov], row["sigma"])

    # A profile is of the deviance whatever was fitted: one end of each curve here, the other end there.
    ends = [1, -2] if reml else [-2, 1]
    for j, held in enumerate(profile.curves):
        rows = table[table["parameter"] == held]
        for _, row in rows.iloc[[ends[j % 2]]].iterrows():
            others = row[[n for n in profile.curves if n != held]].to_numpy(float)
            here = value(row, held, others)
            assert here - least == pytest.approx(row["zeta"] ** 2, abs=1e-7)
            found = minimize(lambda moved, row=row, held=held: value(row, held, moved), others, method="Nelder-Mead")
            assert found.fun > here - 1e-6


@pytest.mark.parametrize("name", [n for n in DESIGNS if n != "dependent_basis"])
def test_profiles_rise_and_their_slopes_are_right(name):
    model = make(name, 0).model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        fit = model.fit()
    profile = fit.profile(level=0.98)
    assert len(profile.conf_int(0.98).dropna()) == len(profile.curves)
    for curve in profile.curves.values():
        assert (np.diff(curve.zeta) > -1e-8).all()
        # The trapezoid rule on the slopes (end correction left out) must give back the differences.
        u, slope = curve.path.coordinate, curve.path.slope
        np.testing.assert_allclose(np.diff(u) * (slope[1:] + slope[:-1]) / 2, np.diff(curve.zeta), atol=0.05)


def test_engine_by_engine_gives_the_same():
    model = make("crossed_slopes", 0).model()
    together = model.fit().profile(level=0.95).conf_int()
    alone = limited(model, batch_dense=0).fit().profile(level=0.95)
    np.testing.assert_allclose(alone.conf_int(), together, rtol=1e-6)
    # Average information instead of exact second derivatives.
    alone = limited(model, batch_dense=0, batch_exact=0).fit().profile(level=0.95)
    np.testing.assert_allclose(alone.conf_int(), together, rtol=1e-4)


def test_a_reml_fit_is_profiled_by_maximum_likelihood_and_says_so(sleep):
    by_ml = sleep.model.fit(reml=False)
    reml, ml = sleep.profile("sigma"), by_ml.profile("sigma")
    assert "refitted by maximum likelihood" in reml.note
    assert "refitted" in repr(reml)
    assert reml.conf_int().attrs["note"] == reml.note
    assert "refitted" not in ml.note
    np.testing.assert_allclose(reml.conf_int(), ml.conf_int(), rtol=1e-7)
    assert reml.estimates["sd(Days|Subject)"] == pytest.approx(by_ml.varcorr()["sdcor"][1], rel=1e-6)


def test_singular_fit():
    """Perfectly correlated effects: the estimate is on the boundary, and so is one limit."""
    rng = np.random.default_rng(5)
    g, x = np.repeat(np.arange(12), 6), np.tile(np.arange(6.0), 12)
    b = rng.normal(size=12)[g]
    data = {"y": 5 + 0.5 * x + 2 * b + 0.6 * b * x + rng.normal(size=72), "x": x, "g": g}
    fit = fitted("y ~ x + (x | g)", data)
    assert fit.singular
    profile = fit.profile(level=0.95)
    limits = profile.conf_int()
    lower, upper = limits.loc["cor(Intercept,x|g)"]
    assert -1 < lower < 1
    assert upper == 1
    assert (limits.loc["sd(x|g)"] > 0).all()
    assert np.isfinite(limits).all(axis=None)
    held = profile.table.query("parameter == 'cor(Intercept,x|g)'")
    assert held["value"].iloc[-1] == 1
    assert held["zeta"].iloc[-1] == 0


def test_no_variance_at_all():
    """The correlation of effects without variance may be anything."""
    rng = np.random.default_rng(9)
    g, x = np.repeat(np.arange(8), 6), np.tile(np.arange(6.0) - 2.5, 8)
    noise = rng.normal(size=48)
    for column in (np.ones(48), x):  # take out what levels differ in
        sums = np.bincount(g, noise * column) / np.bincount(g, column**2)
        noise = noise - sums[g] * column
    fit = fitted("y ~ x + (x | g)", {"y": noise + x, "x": x, "g": g})
    profile = fit.profile(level=0.95)
    limits = profile.conf_int()
    assert tuple(limits.loc["cor(Intercept,x|g)"]) == (-1, 1)
    assert np.isnan(profile.estimates["cor(Intercept,x|g)"])
    assert (limits.loc[["sd(Intercept|g)", "sd(x|g)"], "lower"] == 0).all()
    assert not (profile.table["parameter"] == "cor(Intercept,x|g)").any()
    profile.plot()
    profile.plot("density")


def test_parameters_that_the_data_do_not_tell_apart():
    """(1 + a + b | g) with 1 = a + b: single deviations have no limits."""
    with pytest.warns(ms.NotIdentifiedWarning):
        fit = make("dependent_basis", 0).model().fit()
    with pytest.warns(ms.UndefinedTestWarning, match=r"do not identify sd\(z0\|g\), sd\(z1\|g\), sd\(z2\|g\)"):
        limits = fit.profile("random", level=0.95).conf_int()
    assert limits.loc[["sd(z0|g)", "sd(z1|g)", "sd(z2|g)"]].isna().all(axis=None)
    assert np.isfinite(limits.loc["sigma"]).all()


def test_units_and_names_do_not_matter(sleep):
    data = ms.datasets.load("sleepstudy")
    data["Mega"] = data["Days"] * 1e6
    data["y"] = data["Reaction"] * 1e-3 + 1e5
    other = ms.lmer("y ~ Mega + (Mega | Subject)", data).profile().conf_int().to_numpy()
    want = sleep.profile().conf_int().to_numpy()
    want = want * np.array([1e-3, 1e-9, 1e-3, 1e-9, 1, 1e-3])[:, None]
    want[0] += 1e5
    np.testing.assert_allclose(other, want, rtol=1e-5)


@pytest.mark.parametrize("fixed", [True, False])
def test_smallest_models(fixed):
    small = make("intercept", 0)
    X = np.ones((60, 1)) if fixed else np.empty((60, 0))
    fit = ms.LinearMixedModel.from_arrays(small.y - small.y.mean(), X, small.terms).fit()
    limits = fit.profile(level=0.95).conf_int()
    assert list(limits.index) == ["x0"] * fixed + ["sd(Intercept|g)", "sigma"]
    assert (limits["lower"] < limits["upper"]).all()


def test_which(sleep):
    assert list(sleep.profile("fixed").curves) == ["Intercept", "Days"]
    assert len(sleep.profile("random").curves) == 4
    some = sleep.profile(["sigma", "Days"])
    assert list(some.curves) == ["sigma", "Days"]
    everything = sleep.profile().conf_int()
    np.testing.assert_allclose(some.conf_int(), everything.loc[["sigma", "Days"]], rtol=1e-9)
    assert set(some.table.columns) == {"parameter", "value", "zeta", *everything.index}


def test_terms_with_an_effect_of_one_name_are_told_apart():
    small = make("double_bar", 0)  # both terms on g name their effect Intercept
    assert [n for n in small.model().fit().profile("random", level=0.5).curves if n != "sigma"] == [
        "sd(Intercept|g)",
        "sd(Intercept|g.1)",
        "sd(Intercept|h)",
    ]


def test_progress_is_told(sleep):
    seen = []
    sleep.profile("fixed", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (4, 4)


def test_profiles_pickle(sleep):
    profile = sleep.profile("fixed")
    again = pickle.loads(pickle.dumps(profile))
    np.testing.assert_array_equal(again.conf_int(), profile.conf_int())


def test_density_integrates_to_one(sleep):
    for curve in sleep.profile(level=0.9999).curves.values():
        values, density = curve.density(2000)
        # The correlation's likelihood does not vanish at 1.
        area = (np.diff(values) * (density[1:] + density[:-1]) / 2).sum()
        assert area == pytest.approx(1.0, abs=2e-3)


def test_figures(sleep):
    profile = sleep.profile(level=0.98)
    for kind in ("zeta", "abs", "density"):
        assert len(profile.plot(kind)) == 6
    assert profile.plot(which="sigma")[0].get_title() == "sigma"
    with pytest.raises(ms.OptionError, match="'zeta', 'abs', 'density'"):
        profile.plot("beta")
    with pytest.raises(ms.OptionError, match=r"names among: Intercept, Days"):
        profile.plot(which="days")


def test_bad_input(sleep):
    with pytest.raises(ms.OptionError, match=r"'days' is not a parameter.*Intercept, Days, sd\(Intercept\|Subject\)"):
        sleep.profile("days")
    for level in (0, 1, 95, "high"):
        with pytest.raises(ms.OptionError, match="between 0 and 1"):
            sleep.profile(level=level)
    with pytest.raises(ms.OptionError, match=r"profile\(level=0.99\)"):
        sleep.profile("sigma", level=0.9).conf_int(0.99)
