"""Estimators of scikit-learn."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

import mixedsparse as ms


@pytest.fixture(scope="module")
def sleep():
    return ms.datasets.load("sleepstudy")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping check", "ignore:The columns of X tell the classes apart")
@pytest.mark.parametrize("estimator", [ms.sklearn.MixedRegressor(), ms.sklearn.MixedClassifier()])
def test_scikit_learns_own_checks_pass(estimator):
    found = check_estimator(estimator, on_fail=None)
    assert len(found) > 40
    assert not [one["check_name"] for one in found if one["status"] == "failed"]


def test_a_formula_gives_the_fit_of_lmer(sleep):
    X = sleep.drop(columns="Reaction")
    model = ms.sklearn.MixedRegressor("~ Days + (Days | Subject)").fit(X, sleep["Reaction"])
    want = ms.lmer("Reaction ~ Days + (Days | Subject)", sleep)
    assert model.results_.criterion == pytest.approx(want.criterion, rel=1e-12)
    np.testing.assert_allclose(model.predict(X), want.fittedvalues)
    assert (model.intercept_, *model.coef_) == pytest.approx(tuple(want.params))
    assert model.coef_names_ == ["Days"]
    assert list(model.feature_names_in_) == ["Days", "Subject"]


def test_unseen_groups_are_predicted_by_the_population(sleep):
    kept = sleep[sleep["Subject"] != "308"].copy()
    model = ms.sklearn.MixedRegressor("y ~ Days + (Days | Subject)").fit(kept[["Days", "Subject"]], kept["Reaction"])
    new = sleep.loc[sleep["Subject"] == "308", ["Days", "Subject"]]
    np.testing.assert_allclose(model.predict(new), model.intercept_ + model.coef_[0] * new["Days"])
    everyone = clone(model).set_params(random="population").fit(kept[["Days", "Subject"]], kept["Reaction"])
    np.testing.assert_allclose(
        everyone.predict(kept[["Days", "Subject"]]), everyone.intercept_ + everyone.coef_[0] * kept["Days"]
    )


def test_cross_validation_and_searches(sleep):
    X, y, folds = sleep[["Days", "Subject"]], sleep["Reaction"], GroupKFold(3)
    model = ms.sklearn.MixedRegressor("~ Days + (1 | Subject)")
    scores = cross_val_score(model, X, y, groups=sleep["Subject"], cv=folds)
    assert len(scores) == 3
    search = GridSearchCV(model, {"formula": ["~ 1 + (1 | Subject)", "~ Days + (1 | Subject)"]}, cv=folds)
    assert search.fit(X, y, groups=sleep["Subject"]).best_params_ == {"formula": "~ Days + (1 | Subject)"}


def test_a_group_and_arrays(sleep):
    X = np.column_stack([sleep["Days"].astype(float), sleep["Subject"].astype(float)])
    model = ms.sklearn.MixedRegressor(group=1, reml=False).fit(X, sleep["Reaction"])
    want = ms.lmer("Reaction ~ Days + (1 | Subject)", sleep, reml=False)
    assert model.results_.criterion == pytest.approx(want.criterion, rel=1e-12)
    assert pickle.loads(pickle.dumps(model)).predict(X[:2]).tolist() == model.predict(X[:2]).tolist()
    assert (
        ms.sklearn.MixedRegressor(group="Subject").fit(sleep.drop(columns="Reaction"), sleep["Reaction"]).coef_[0] > 10
    )


def test_prior_weights_are_those_of_lmer_and_zeros_leave_rows_out(sleep):
    weights = np.where(np.arange(len(sleep)) % 7, 1.5, 0.0)
    model = ms.sklearn.MixedRegressor("~ Days + (1 | Subject)").fit(sleep, sleep["Reaction"], sample_weight=weights)
    kept = sleep[weights > 0].assign(w=1.5)
    want = ms.lmer("Reaction ~ Days + (1 | Subject)", kept, weights="w")
    np.testing.assert_allclose(model.coef_, want.params["Days"])


def test_transformed_responses_go_through_scikit_learn(sleep):
    inner = ms.sklearn.MixedRegressor("~ Days + (1 | Subject)")
    model = TransformedTargetRegressor(inner, func=np.log, inverse_func=np.exp, check_inverse=False)
    want = ms.lmer("log(Reaction) ~ Days + (1 | Subject)", sleep)
    np.testing.assert_allclose(model.fit(sleep, sleep["Reaction"]).predict(sleep), np.exp(want.fittedvalues))
    with pytest.raises(ms.FormulaError, match=r"transform y by sklearn\.compose.TransformedTargetRegressor"):
        ms.sklearn.MixedRegressor("log(y) ~ Days + (1 | Subject)").fit(sleep, sleep["Reaction"])


@pytest.fixture(scope="module")
def answers():
    return ms.datasets.load("VerbAgg").iloc[:1500]


def test_two_classes(answers):
    model = ms.sklearn.MixedClassifier("~ btype + (1 | id)").fit(answers, answers["r2"].astype(str))
    want = ms.glmer("r2 ~ btype + (1 | id)", answers)
    assert model.classes_.tolist() == ["N", "Y"]
    np.testing.assert_allclose(model.predict_proba(answers)[:, 1], want.predict(), rtol=1e-6)
    np.testing.assert_allclose(model.decision_function(answers), want.predict(type="link"), rtol=1e-6)
    assert (model.predict(answers) == np.where(want.predict() > 0.5, "Y", "N")).all()
    assert 0.5 < model.score(answers, answers["r2"].astype(str)) < 1.0
    unseen = answers.head(1).assign(id="nobody")
    assert 0.0 < model.predict_proba(unseen)[0, 1] < 1.0
    assert clone(model).get_params()["formula"] == "~ btype + (1 | id)"


def test_weights_of_classes_count_rows(answers):
    y, times = answers["r2"].astype(str), np.arange(len(answers)) % 3
    model = ms.sklearn.MixedClassifier("~ btype + (1 | id)").fit(answers, y, sample_weight=times)
    want = ms.glmer("r2 ~ btype + (1 | id)", answers.loc[answers.index.repeat(times)])
    np.testing.assert_allclose([model.intercept_, *model.coef_], want.params, rtol=1e-5)
    with pytest.raises(ms.DataError, match="sample_weight must be whole numbers"):
        ms.sklearn.MixedClassifier("~ btype + (1 | id)").fit(answers, y, sample_weight=times + 0.5)


def test_classes_in_folds_of_groups_and_pipelines(answers):
    folds = GroupKFold(3)
    model = make_pipeline(ms.sklearn.MixedClassifier("~ btype + Anger + (1 | id)"))
    y = answers["r2"].astype(str)
    scores = cross_val_score(model, answers, y, groups=answers["id"], cv=folds, scoring="roc_auc")
    assert (scores > 0.5).all()
    search = GridSearchCV(model, {"mixedclassifier__link": ["logit", "probit"]}, cv=folds)
    assert search.fit(answers, y, groups=answers["id"]).classes_.tolist() == ["N", "Y"]


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_without_groups_classes_are_those_of_a_plain_regression(link):
    family = pytest.importorskip("statsmodels.genmod.families")
    glm = pytest.importorskip("statsmodels.genmod.generalized_linear_model")
    rng = np.random.default_rng(4)
    X = rng.normal([3.0, -1.0], [2.0, 0.1], (300, 2))
    y, weights = (X[:, 0] + rng.normal(size=300) > 3).astype(float), rng.uniform(0.5, 2.0, 300)
    model = ms.sklearn.MixedClassifier(link=link).fit(X, y, sample_weight=weights)
    links = {"logit": family.links.Logit, "probit": family.links.Probit, "cloglog": family.links.CLogLog}
    design = np.column_stack([np.ones(300), X])
    want = glm.GLM(y, design, family.Binomial(links[link]()), freq_weights=weights).fit(tol=1e-12, maxiter=100)
    np.testing.assert_allclose([model.intercept_, *model.coef_], want.params, rtol=1e-5)  # there is a tiny penalty
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], want.predict(design), rtol=1e-5)


def test_separated_classes_are_said():
    X = np.arange(20.0)[:, None]
    with pytest.warns(ms.ConvergenceWarning, match="tell the classes apart"):
        model = ms.sklearn.MixedClassifier().fit(X, X[:, 0] > 9)
    assert model.score(X, X[:, 0] > 9) == 1.0


def test_what_cannot_be_fitted_is_said(sleep, answers):
    with pytest.raises(NotFittedError):
        ms.sklearn.MixedClassifier("~ btype + (1 | id)").predict(answers)
    with pytest.raises(ms.DataError, match="y has 3 classes"):
        ms.sklearn.MixedClassifier("~ 1 + (1 | id)").fit(answers, answers["resp"].astype(str))
    with pytest.raises(ms.DataError, match="y has 3 values for 180 rows"):
        ms.sklearn.MixedRegressor("~ Days + (1 | Subject)").fit(sleep, [1.0, 2.0, 3.0])
    with pytest.raises(ms.OptionError, match="group='g' is no column of X, which has Reaction, Days, Subject"):
        ms.sklearn.MixedRegressor(group="g").fit(sleep, sleep["Reaction"])
    with pytest.raises(NotFittedError):
        ms.sklearn.MixedRegressor("~ Days + (1 | Subject)").predict(sleep)
    with pytest.raises(ms.FormulaError, match="has no '~'"):
        ms.sklearn.MixedRegressor("Days").fit(sleep, sleep["Reaction"])


def test_polars_frames(sleep):
    polars = pytest.importorskip("polars")
    model = ms.sklearn.MixedRegressor("~ Days + (1 | Subject)").fit(polars.DataFrame(sleep), sleep["Reaction"])
    np.testing.assert_allclose(model.predict(polars.DataFrame(sleep)), model.predict(sleep))
    assert isinstance(model.predict(pd.DataFrame(sleep)), np.ndarray)
