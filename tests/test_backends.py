"""One answer from every backend, one symbolic analysis per model, and clear words where a backend is missing."""

from __future__ import annotations

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.core.engines.split.engine import SplitEngine
from tests.limits import limited
from tests.models import DESIGNS, make

needs_cholmod = pytest.mark.skipif(not cholmod.available(), reason="scikit-sparse is not installed")
SPLIT, CHOLMOD = ms.FitOptions(backend="split"), ms.FitOptions(backend="cholmod")
# Both searches stop within 1e-10 of the minimum.
CRITERION_ABS, THETA_ABS = 1e-8, 1e-5


@pytest.fixture
def no_cholmod(monkeypatch):
    monkeypatch.setattr(cholmod, "available", lambda: False)


@pytest.fixture
def crossed() -> ms.LinearMixedModel:
    return make("crossed_slopes", seed=1).model()


@needs_cholmod
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_both_backends_agree(name, reml):
    model = make(name, seed=5).model()
    split, sparse = (model.fit(reml, options=options) for options in (SPLIT, CHOLMOD))
    assert split.converged
    assert sparse.converged
    assert sparse.criterion == pytest.approx(split.criterion, abs=CRITERION_ABS)
    np.testing.assert_allclose(sparse.params, split.params, atol=THETA_ABS)
    np.testing.assert_allclose(sparse.bse, split.bse, rtol=THETA_ABS)
    # What the model implies for the rows: the parameters of a basis with dependent columns are not determined.
    implied, reference = (fit.marginal_cov(slice(40)).to_numpy() / split.scale for fit in (sparse, split))
    np.testing.assert_allclose(implied, reference, atol=THETA_ABS * reference.max())
    np.testing.assert_allclose(sparse.fittedvalues, split.fittedvalues, atol=1e-4 * split.sigma)


@needs_cholmod
@pytest.mark.parametrize("name", ["sleepstudy", "Penicillin", "Pastes", "Machines", "cake"])
def test_both_backends_agree_on_real_data(name):
    formula = {
        "sleepstudy": "Reaction ~ Days + (Days | Subject)",
        "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
        "Pastes": "strength ~ 1 + (1 | batch/cask)",
        "Machines": "score ~ Machine + (Machine | Worker)",
        "cake": "angle ~ recipe * temperature + (1 | recipe:replicate)",
    }[name]
    model = ms.LinearMixedModel(formula, ms.datasets.load(name))
    split, sparse = (model.fit(options=options) for options in (SPLIT, CHOLMOD))
    assert sparse.criterion == pytest.approx(split.criterion, abs=CRITERION_ABS)
    np.testing.assert_allclose(sparse.theta, split.theta, atol=THETA_ABS)


@needs_cholmod
def test_the_pattern_is_analysed_once_per_model(crossed, monkeypatch):
    import sksparse.cholmod

    calls = []
    analyze = sksparse.cholmod.analyze

    def counted(*args, **kwargs):
        calls.append(args)
        return analyze(*args, **kwargs)

    monkeypatch.setattr(sksparse.cholmod, "analyze", counted)
    results = crossed.fit(options=CHOLMOD)
    crossed.fit(reml=False, options=CHOLMOD)
    crossed.fit(start=np.ones(6), options=CHOLMOD)
    assert results.random_effects_cov["s"].shape == (12, 2, 2)
    assert len(calls) == 1


def test_the_split_is_set_up_once_per_model(crossed, monkeypatch):
    calls = []
    set_up = SplitEngine.__init__

    def counted(self, problem, *args, **options):
        calls.append(problem)
        set_up(self, problem, *args, **options)

    monkeypatch.setattr(SplitEngine, "__init__", counted)
    crossed.fit(options=SPLIT)
    crossed.fit(reml=False, options=SPLIT)
    crossed.fit(start=np.ones(6), options=SPLIT)
    assert len(calls) == 1


def test_zeros_in_theta_do_not_change_the_pattern(crossed):
    # theta = 0 first: whatever was analysed must hold every later theta too.
    for backend in ("split", "cholmod") if cholmod.available() else ("split",):
        crossed.fit(start=np.zeros(6), options=ms.FitOptions(backend=backend))
    values = [crossed.objective(theta) for theta in (np.zeros(6), np.ones(6))]
    fresh = make("crossed_slopes", seed=1).model()
    assert [fresh.objective(theta) for theta in (np.zeros(6), np.ones(6))] == values


def test_without_cholmod_the_same_models_fit(crossed, no_cholmod):
    assert crossed.engine().name == "split"
    assert crossed.fit().converged


def test_cholmod_that_is_missing_is_named(crossed, no_cholmod):
    with pytest.raises(ms.BackendError, match=r"scikit-sparse: install mixedsparse\[cholmod\]"):
        crossed.fit(options=CHOLMOD)


def test_a_rest_that_is_too_big_is_said_before_it_is_made(crossed):
    with pytest.raises(ms.BackendError, match=r"leaves 18 random effects.*1000 B are available: use method='iter"):
        limited(crossed, memory=1000.0).fit(options=SPLIT)


@needs_cholmod
def test_auto_takes_cholmod_for_chains_of_nested_factors():
    school = np.repeat(np.arange(150), 24)
    classes, pupil = np.arange(3600) // 6, np.arange(3600) // 2
    y = np.random.default_rng(0).normal(size=3600)
    terms = [ms.RandomTerm(name, codes, np.ones(3600)) for name, codes in (("p", pupil), ("c", classes), ("s", school))]
    model = limited(ms.LinearMixedModel.from_arrays(y, np.ones((3600, 1)), terms), small_rest=0)
    assert model.engine().name == "cholmod"
