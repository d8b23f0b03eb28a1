"""The judge's criterion and its count of the factor's non-zeros."""

import pytest

from benchmarks.contest.judge import ModelJudge, factor_nonzeros
from benchmarks.problems import select
from mixedsparse import LinearMixedModel


def test_criterion_is_that_of_theta_and_the_lowest_is_the_table_s():
    (problem,) = select(["sleepstudy"])
    judge = ModelJudge(problem)
    theta = [0.96674, 0.01516907, 0.23090991]  # lme4's, MixedModels.jl's
    assert judge.criterion(theta, reml=True) == pytest.approx(problem.best_known, abs=1e-6)
    assert judge.criterion([1.0, 0.0, 1.0], reml=True) > problem.best_known + 1
    assert judge.best(reml=True) == problem.best_known


def test_the_lowest_by_the_other_method_comes_from_a_fit():
    (problem,) = select(["sleepstudy"])
    assert ModelJudge(problem).best(reml=False) == pytest.approx(1751.93934447, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("sleepstudy", 18 * 3),
        # 24 plates, each with all 6 samples, and the triangle of the samples
        ("penicillin", 24 + 24 * 6 + 21),
        # 30 samples of 10 batches, each in one, and the triangle of the batches
        ("pastes", 30 + 30 + 55),
    ],
)
def test_nonzeros_of_the_split(name, count):
    (problem,) = select([name])
    assert ModelJudge(problem).nonzeros() == count


def test_nonzeros_of_cholmod_are_those_of_its_factor(monkeypatch):
    pytest.importorskip("sksparse")
    (problem,) = select(["pastes"])
    model = LinearMixedModel(problem.formula, problem.load())
    engine = model.engine("cholmod")
    monkeypatch.setattr(model, "engine", lambda: engine)
    assert factor_nonzeros(model) == 30 + 30 + 10  # nested: the batches stay apart
