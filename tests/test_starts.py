"""Searches that start from results: of other data, of a file, of a plan, of terms in another order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.core.batch.batch import Responses
from mixedsparse.core.batch.coordinates import plain_chart
from mixedsparse.core.batch.general import make_batch
from mixedsparse.core.batch.joint_likelihood import JointCriterion
from mixedsparse.core.problem.edits import reweighted

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleepstudy():
    return ms.datasets.load("sleepstudy")


@pytest.fixture(scope="module")
def fit(sleepstudy):
    return ms.lmer(FORMULA, sleepstudy)


def first_of(model, **arguments):
    """Criterion of the first point of a search."""
    noted = []
    model.fit(progress=noted.append, **arguments)
    return noted[0].criterion


def test_results_are_a_start(fit, sleepstudy):
    model = ms.LinearMixedModel(FORMULA, sleepstudy[sleepstudy["Days"] > 0])
    assert first_of(model, start=fit) == pytest.approx(model.objective(fit.theta), rel=1e-12)
    assert model.fit(start=fit).criterion == pytest.approx(model.fit().criterion, abs=1e-8)


def test_results_of_a_file_without_rows_are_a_start(fit, sleepstudy, tmp_path):
    fit.save(tmp_path / "fit", data=False)
    model = ms.LinearMixedModel(FORMULA, sleepstudy)
    assert first_of(model, start=ms.load(tmp_path / "fit")) == pytest.approx(fit.criterion, rel=1e-12)


def test_hypothesised_parameters_are_a_start():
    rows = ms.design(subjects=12, within={"A": ["a1", "a2"]}, repeats=3)
    truth = ms.plan(rows, "y ~ A + (1 | subject)", {"A[T.a2]": 0.5}, random={"subject": 1.5}, sigma=2.0).truth
    model = ms.LinearMixedModel("y ~ A + (1 | subject)", rows.assign(y=truth.simulate(seed=1).iloc[:, 0]))
    assert first_of(model, start=truth) == pytest.approx(model.objective([0.75]), rel=1e-12)


def test_terms_are_matched_by_their_names():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"s": rng.integers(0, 20, 200), "i": rng.integers(0, 10, 200), "y": rng.normal(size=200)})
    data["y"] += rng.normal(size=20)[data["s"]] + 0.5 * rng.normal(size=10)[data["i"]]
    fit = ms.lmer("y ~ 1 + (1 | s) + (1 | i)", data)
    # With fewer levels of s than of i, theta goes by another order.
    few = ms.LinearMixedModel("y ~ 1 + (1 | s) + (1 | i)", data[data["s"] < 6])
    assert first_of(few, start=fit) == pytest.approx(few.objective(fit.theta[::-1]), rel=1e-12)
    with pytest.raises(ms.OptionError, match=r"start has no random effects \(Intercept \| i\)"):
        ms.lmer("y ~ 1 + (1 | s) + (1 | i)", data, start=ms.lmer("y ~ 1 + (1 | s)", data))


def test_results_of_generalized_models_are_a_start():
    cbpp = ms.datasets.load("cbpp")
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    fit = ms.glmer(formula, cbpp)
    again = ms.GeneralizedLinearMixedModel(formula, cbpp).fit(start=fit)
    assert again.criterion == pytest.approx(fit.criterion, abs=1e-9)
    assert again.optim.nfev < fit.optim.nfev
    with pytest.raises(ms.OptionError, match="other coefficients"):
        ms.glmer(formula.replace("period", "1"), cbpp, start=fit)


def test_problems_in_step_are_not_those_of_other_weights(fit):
    """Q is orthonormal with the weights of the first problem only, on which problems in step rely."""
    problem = reweighted(fit.model.problem, np.linspace(0.5, 2.0, fit.nobs))
    batch = make_batch(fit.model.engine().with_problem(problem))
    with pytest.raises(ValueError, match="make the problem anew"):
        JointCriterion(batch, [plain_chart(problem)], Responses.of(problem), 1.0, True)


@pytest.mark.parametrize(("family", "y"), [("negative_binomial", "TICKS"), (ms.families.Gamma("log"), "TICKS + 1")])
def test_dispersions_are_part_of_a_start(family, y):
    data = ms.datasets.load("grouseticks")[:200]
    fit = ms.glmer(f"{y} ~ YEAR + (1 | BROOD)", data, family)
    noted = []
    ms.glmer(f"{y} ~ YEAR + (1 | BROOD)", data, family, start=fit, progress=noted.append)
    assert noted[0].criterion == pytest.approx(fit.criterion, abs=1e-8)
