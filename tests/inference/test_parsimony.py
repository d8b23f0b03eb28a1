"""From a maximal random part to a parsimonious one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

import mixedsparse as ms
from mixedsparse.formula.random_part import random_parts, with_random
from mixedsparse.inference.parsimony import parsimony

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
    assert "| item)" in steps.final.formula or "|| item)" in steps.final.formula
    assert gains.loc[gains["chosen"], "p"].le(steps.alpha).all()


def test_alpha_decides(words):
    with pytest.warns(ms.SingularFitWarning):
        fit = ms.lmer("RTtrunc ~ S*P*C + (1 + S + P + C | subj) + (1 | item)", words)
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
    assert "zero correlations: Reaction ~ Days + (1 + Days || Subject)" in capsys.readouterr().err
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
