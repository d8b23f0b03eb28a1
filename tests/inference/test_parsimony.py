"""From a maximal random part to a parsimonious one."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

import mixedsparse as ms
from mixedsparse.api.parsimony import parsimony
from mixedsparse.data.formula.random_part import random_parts, with_random
from mixedsparse.inference.random_search import Trail

COLUMNS = "step change formula parent npar deviance AIC BIC LRT Df p dimensions singular converged verdict chosen"


@pytest.fixture(scope="module")
def words():
    return ms.datasets.load("kb07")


@pytest.fixture(scope="module")
def steps(words):
    """Bates et al. (2015) reduce this model of Kronmueller & Barr (2007) in the same way."""
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("RTtrunc ~ S*P*C + (1 + S + P + C | subj) + (1 + S + P + C | item)", words)
    return parsimony(fit)


def test_every_model_is_in_the_table(steps, words):
    table = steps.table
    assert " ".join(table.columns) == COLUMNS
    assert table["step"].tolist()[:2] == ["maximal", "zero correlations"]
    assert steps.start.formula == table["formula"][0]
    again = ms.LinearMixedModel(table["formula"].iloc[-1], words)
    assert again.problem.n_theta + again.problem.p + 1 == table["npar"].iloc[-1]
    assert (table["verdict"] != "").all()
    assert table["chosen"][0]


def test_tests_are_against_the_parent(steps):
    table = steps.table
    for _, row in table.iloc[1:].iterrows():
        parent = table.loc[row["parent"]]
        assert parent["chosen"]
        assert row["LRT"] == pytest.approx(abs(row["deviance"] - parent["deviance"]), abs=1e-9)
        assert row["Df"] == abs(row["npar"] - parent["npar"])
        assert row["p"] == pytest.approx(chi2.sf(row["LRT"], row["Df"]))


def test_final_is_the_last_chosen(steps):
    last = steps.table[steps.table["chosen"]].iloc[-1]
    assert steps.final.formula == last["formula"]
    assert steps.final.criterion == last["deviance"]
    assert not steps.final.singular
    assert steps.final.params.index.tolist() == steps.start.params.index.tolist()
    assert steps.comparison["Df"] == steps.start.df_model - steps.final.df_model
    assert steps.final.formula in repr(steps)


def test_correlations_come_back_where_they_matter(steps):
    gains = steps.table[steps.table["step"] == "add correlations"]
    assert set(gains["change"]) <= {"subj", "item"}
    assert steps.comparison["p"] > steps.alpha
    assert "| item)" in steps.final.formula or "|| item)" in steps.final.formula
    assert gains.loc[gains["chosen"], "p"].le(steps.alpha).all()


@pytest.mark.slow
def test_alpha_decides(words):
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("RTtrunc ~ S*P*C + (1 + S + P | subj) + (1 | item)", words)
    strict, lenient = (parsimony(fit, alpha=alpha) for alpha in (1e-12, 0.9))
    assert strict.final.df_model <= lenient.final.df_model
    assert strict.final.formula.endswith("(1 | subj) + (1 | item)")


def test_ml_stays_ml_and_factors_keep_their_intercept():
    data = ms.datasets.load("Machines")
    steps = ms.lmer("score ~ Machine + (0 + Machine | Worker)", data, reml=False).parsimony()
    assert not steps.final.reml
    # (0 + f | g) is (1 + f | g): a fit of the latter has the same criterion
    same = ms.lmer("score ~ Machine + (1 + Machine | Worker)", data, reml=False)
    assert steps.start.criterion == pytest.approx(same.criterion, abs=1e-6)
    assert steps.table["formula"].tolist()[2] == "score ~ Machine + (1 | Worker)"


def test_nothing_to_reduce():
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    steps = parsimony(fit)
    assert len(steps.table) == 1
    assert steps.final is fit
    assert "the same model" in repr(steps)


def test_intercepts_may_go_when_asked():
    rng = np.random.default_rng(3)
    g, h = rng.integers(20, size=300), np.arange(300) % 10
    noise = rng.normal(size=300)
    noise -= np.bincount(h, noise)[h] / 30  # less variation between the levels of h than chance gives
    data = {"y": rng.normal(size=20)[g] + noise, "g": g, "h": h}
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("y ~ 1 + (1 | g) + (1 | h)", data)
    assert parsimony(fit).final is fit
    assert parsimony(fit, keep_intercepts=False).final.formula == "y ~ 1 + (1 | g)"


def test_call_is_repeated_weights_offset_contrasts_names_and_rows():
    data = ms.datasets.load("sleepstudy").rename(columns={"Days": "days awake"})
    data = data.assign(w=1.0 + np.arange(180) % 3, half=np.where(data["days awake"] > 4, "late", "early"))
    data.loc[[3, 7], "half"] = None

    def twice(x):
        return 2 * x

    with pytest.warns(ms.MixedSparseWarning):
        fit = ms.lmer(
            "Reaction ~ `days awake` + half + (twice(`days awake`) + half | Subject)",
            data,
            weights="w",
            offset=np.arange(180.0),
            contrasts={"half": "sum"},
        )
    steps = parsimony(fit)
    assert steps.table["npar"].is_monotonic_decreasing or len(steps.table) > 2
    assert steps.final.nobs == fit.nobs == 178
    assert steps.final.fittedvalues.index.equals(fit.fittedvalues.index)
    assert "half[S.early]" in steps.final.params.index
    direct = ms.LinearMixedModel(
        steps.final.formula, data, weights="w", offset=np.arange(180.0), contrasts={"half": "sum"}
    )
    assert direct.objective(steps.final.theta) == pytest.approx(steps.final.criterion, abs=1e-9)


def test_progress(capsys):
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    parsimony(fit, progress=True)
    assert "zero correlations: Reaction ~ Days + (1 + center(Days) || Subject)" in capsys.readouterr().err
    rows = []
    parsimony(fit, progress=rows.append)
    assert rows[0]["step"] == "maximal"


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        ("Reaction ~ Days + (Days || Subject)", ["(1 + Days || Subject)"]),
        ("Reaction ~ Days + (0 + Days | Subject) + (1 | Subject)", ["(0 + Days | Subject)", "(1 | Subject)"]),
        ("Reaction ~ (1 + I(Days^2) | Subject)", ["(1 + I(Days ** 2) | Subject)"]),
        ("Reaction ~ 1 + (1 | Subject/Days2)", ["(1 | Subject)", "(1 | Subject:Days2)"]),
        ("Reaction ~ 1 + (poly(Days, 2) | Subject)", ["(1 + poly(Days, 2) | Subject)"]),
        ("Reaction ~ 1 + (C(Days2) * Days | Subject)", ["(1 + C(Days2) + Days + C(Days2):Days | Subject)"]),
    ],
)
def test_random_parts_are_written_as_they_are_read(formula, parts):
    data = ms.datasets.load("sleepstudy").assign(Days2=lambda d: d["Days"] % 2)
    model = ms.LinearMixedModel(formula, data)
    found = random_parts(model.design.encoding)
    assert [part.text for part in found] == parts
    again = ms.LinearMixedModel(with_random(formula, found), data)
    theta = np.full(model.problem.n_theta, 0.3)
    assert again.objective(theta) == pytest.approx(model.objective(theta), rel=1e-12)


def test_bad_input():
    fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    with pytest.raises(ms.OptionError, match="alpha=5 must lie between 0 and 1"):
        parsimony(fit, alpha=5)
    design = fit.model.design
    arrays = ms.LinearMixedModel.from_arrays(design.y, design.X, design.terms).fit()
    with pytest.raises(ms.DataError, match="made from arrays"):
        parsimony(arrays)


# ---- correlations, and where a covariate is 0


def _converging(shift: float) -> dict:
    """Sixty subjects who converge over time (slope SD .117, correlation -.94), time counted from `shift`."""
    subjects, times = 60, np.arange(8.0)
    s, time = np.repeat(np.arange(subjects), len(times)), np.tile(times, subjects)
    rng = np.random.default_rng(15)
    b0 = rng.standard_normal(subjects)
    b1 = -0.11 * b0 + 0.04 * rng.standard_normal(subjects)
    y = b0[s] + b1[s] * time + 0.5 * rng.standard_normal(len(s))
    return {"y": y, "time": time - shift, "arm": s % 2 * 1.0, "subj": [f"s{i:02d}" for i in s]}


@pytest.mark.parametrize("shift", [0.0, 3.5, -2000.0])
def test_the_search_does_not_depend_on_where_time_is_zero(shift):
    """Without centring the variance of the slope is 0 under ``||`` from time 0 on, and goes."""
    fit = ms.lmer("y ~ time*arm + (time | subj)", _converging(shift))
    steps = parsimony(fit)
    assert steps.final.formula == "y ~ time*arm + (time | subj)"
    apart = steps.table[steps.table["step"] == "zero correlations"].iloc[0]
    assert apart["formula"].endswith("|| subj)")
    assert ("center(time)" in apart["formula"]) == (shift != 3.5)
    # By hand: the same model with time centred before the fit.
    same = ms.lmer("y ~ time*arm + (time || subj)", _converging(3.5))
    assert apart["deviance"] == pytest.approx(same.criterion, abs=1e-5)
    assert steps.final.bse["time:arm"] == pytest.approx(fit.bse["time:arm"], rel=1e-9)


@pytest.mark.parametrize(
    ("effects", "apart"),
    [
        ("time + I(time^2)", "1 + center(time) + center(center(time) ** 2)"),
        ("time * z", "1 + center(time) + center(z) + center(time):center(z)"),
        ("f * time", "1 + f + center(time) + f:center(time)"),
        ("0 + f + time", "1 + f + center(time)"),
        ("log(time + 1)", "1 + center(log(time + 1))"),
        ("I(time^2)", "1 + center(time ** 2)"),
        ("time:z", "1 + center(time * z)"),
        ("poly(time, 2)", "1 + poly(time, 2)"),
        ("centred", None),
        ("0 + time", None),
    ],
)
@pytest.mark.filterwarnings("ignore::mixedsparse.SingularFitWarning")
def test_columns_are_centred_where_correlations_are_taken_out(effects, apart):
    data = _converging(0.0)
    rng = np.random.default_rng(2)
    time = data["time"]
    z = rng.standard_normal(len(time)) + 2.0
    data |= {"z": z, "f": np.where(np.arange(len(time)) % 3 == 0, "a", "b"), "centred": time - time.mean()}
    model = ms.LinearMixedModel(f"y ~ time + ({effects} | subj)", data)
    trail = Trail(model.fit()._fitted, 0.2, None)
    parts = tuple(replace(part, correlated=False) for part in trail.start_parts())
    expected = {"centred": "(1 + centred || subj)", "0 + time": "(0 + time | subj)"}.get(effects)
    assert parts[0].text == (expected or f"({apart} || subj)")
    # Centred or not, correlated effects are the same model.
    whole = parts[0].text.replace("||", "|")
    both = [ms.LinearMixedModel(f"y ~ time + {text}", data).fit(reml=False) for text in (whole, f"({effects} | subj)")]
    assert both[0].criterion == pytest.approx(both[1].criterion, abs=2e-4)


def test_a_correlation_at_minus_one_comes_back():
    """Zero correlations are rejected with p near 1e-9 here, and the model with them is singular."""
    rng = np.random.default_rng(1)
    subjects, m = 40, 40
    s, x = np.repeat(np.arange(subjects), m), np.tile([0.0, 1.0], subjects * m // 2)
    b0 = rng.standard_normal(subjects)
    b1 = 0.6 * b0 + 0.15 * rng.standard_normal(subjects)
    y = np.where(x == 0, b0[s], b1[s]) + rng.standard_normal(len(s))
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("y ~ x + (x | subj)", {"y": y, "x": x, "subj": s})
    steps = parsimony(fit)
    assert steps.final is fit
    rejected = steps.table[steps.table["step"] == "add correlations"].iloc[0]
    assert rejected["p"] < 1e-6
    assert rejected["singular"]
    assert rejected["chosen"]
    assert "<1e-4" in repr(steps)
    assert "<1e-4" in steps._repr_html_().replace("&lt;", "<")


@pytest.mark.parametrize("seed", range(6))
def test_the_search_never_ends_where_its_own_comparison_rejects(seed):
    rng = np.random.default_rng(seed)
    s = np.repeat(np.arange(24), 12)
    f, x = np.tile(np.repeat(["a", "b", "c"], 4), 24), np.tile([0.0, 1.0, 2.0, 5.0], 72)
    root = np.tril(rng.standard_normal((4, 4))) * rng.choice([0.0, 1.0], 4)
    b = rng.standard_normal((24, 4)) @ root.T * [1.0, 0.5, 0.5, 0.3]
    y = b[s, 0] + b[s, 1] * (f == "b") + b[s, 2] * (f == "c") + b[s, 3] * x + rng.standard_normal(len(s))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        fit = ms.lmer("y ~ f + x + (f + x | s)", {"y": y, "f": f, "x": x, "s": s})
    steps = parsimony(fit)
    assert steps.comparison["p"] > steps.alpha
    last = steps.table[steps.table["chosen"]].iloc[-1]
    assert last["deviance"] == steps.final.criterion
    assert (steps.table["verdict"] != "").all()


def test_models_without_random_effects_have_nothing_to_reduce():
    fit = ms.lmer("FEV1 ~ ARMCD", ms.datasets.load("fev"), residual="us(AVISIT | USUBJID)")
    with pytest.raises(ms.DataError, match="no random effects that could be left out"):
        parsimony(fit)
