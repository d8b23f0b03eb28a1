"""Ctrl-C: searches and simulations give back what they have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.api.parsimony import parsimony
from mixedsparse.core.fitting.outcome import Stop
from mixedsparse.inference import random_search

FORMULA = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def sleep():
    return ms.datasets.load("sleepstudy")


@pytest.fixture(scope="module")
def fit(sleep):
    return ms.lmer(FORMULA, sleep)


def interrupt_at(number: int):
    def note(line):
        if line.number == number:
            raise KeyboardInterrupt

    return note


def stop_after(done: int):
    def note(count, total):
        if count >= done:
            raise KeyboardInterrupt

    return note


@pytest.mark.parametrize("method", ["direct", "iterative"])
def test_an_interrupted_search_gives_its_state(method):
    model = ms.LinearMixedModel("Y ~ 1 + (1 | a) + (1 | b)", crossed_data())
    with pytest.warns(ms.ConvergenceWarning, match=r"it was interrupted.*give theta as start= to go on"):
        results = model.fit(method=method, progress=interrupt_at(1))
    assert results.fit.search.stop is Stop.INTERRUPTED
    assert not results.converged
    assert results.certificate.verdict == "stopped early"
    assert np.isfinite(results.params).all()
    assert np.isfinite(results.coef_table()["p"]).all()
    assert np.isfinite(results.random_effects["a"]).to_numpy().all()
    assert len(results.predict()) == results.nobs
    assert "it was interrupted" in str(results.summary()).replace("\n", " ")
    # From there the search goes on to the optimum.
    best = model.fit(method=method)
    rest = model.fit(method=method, start=results.theta)
    np.testing.assert_allclose(rest.theta, best.theta, rtol=1e-4)


def crossed_data():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 40, 600), rng.integers(0, 30, 600)
    return {"Y": rng.normal(size=40)[a] + 2.0 * rng.normal(size=30)[b] + rng.normal(size=600), "a": a, "b": b}


def test_the_state_is_the_best_point_so_far(sleep):
    lines = []

    def note(line):
        lines.append(line)
        if line.number == 2:
            raise KeyboardInterrupt

    with pytest.warns(ms.ConvergenceWarning, match="it was interrupted"):
        results = ms.lmer(FORMULA, sleep, start=[5.0, 0.0, 5.0], progress=note)
    assert results.criterion == lines[-1].criterion
    assert results.optim.nit == 2


def test_without_a_state_the_interrupt_is_passed_on(sleep, monkeypatch):
    model = ms.LinearMixedModel(FORMULA, sleep)
    monkeypatch.setattr("mixedsparse.core.fitting.optimize.joint_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit()


def interrupted(*_args, **_kwargs):
    raise KeyboardInterrupt


def test_an_interrupt_in_the_last_steps_keeps_the_optimum(sleep, monkeypatch):
    best = ms.lmer(FORMULA, sleep)
    monkeypatch.setattr("mixedsparse.core.fitting.optimize._snap", interrupted)
    with pytest.warns(ms.ConvergenceWarning, match="it was interrupted"):
        results = ms.lmer(FORMULA, sleep)
    assert results.criterion == pytest.approx(best.criterion, abs=1e-6)


def test_inside_other_work_a_search_does_not_swallow_it(fit, monkeypatch):
    # Replicates that are fitted one by one: the bootstrap must end, not count a failure.
    monkeypatch.setattr("mixedsparse.core.fitting.optimize._newton", interrupted)
    monkeypatch.setattr("mixedsparse.core.fitting.replicate.Refitter.together", False)
    with pytest.raises(KeyboardInterrupt):
        fit.bootstrap(3, seed=1)


@pytest.mark.parametrize("kind", ["parametric", "cases"])
def test_bootstrap_gives_the_replicates_that_are_done(fit, kind):
    whole = fit.bootstrap(400, seed=1, kind=kind) if kind == "parametric" else fit.bootstrap(30, seed=1, kind=kind)
    with pytest.warns(ms.ConvergenceWarning, match=f"has [0-9]+ of {whole.nsim} replicates"):
        part = fit.bootstrap(whole.nsim, seed=1, kind=kind, progress=stop_after(5))
    assert 5 <= part.nsim < whole.nsim
    np.testing.assert_array_equal(part.table, whole.table.iloc[: part.nsim])
    assert part.conf_int().shape == whole.conf_int().shape


def test_profiles_end_where_they_are(fit):
    with pytest.warns(ms.ConvergenceWarning, match="profile was interrupted: limits beyond"):
        part = fit.profile(progress=stop_after(0))
    assert list(part.curves) == list(fit.profile().curves)
    assert part.conf_int(0.95).isna().to_numpy().any()
    assert len(part.table) > 0


@pytest.mark.slow
def test_profiles_by_workers_leave_out_what_was_not_begun(fit):
    with pytest.warns(ms.ConvergenceWarning, match="4 parameters are left out"):
        part = fit.profile(n_jobs=2, progress=stop_after(2))
    assert list(part.curves) == ["Intercept", "Days"]
    np.testing.assert_allclose(part.conf_int(0.95), fit.profile("fixed").conf_int(0.95), rtol=1e-6)


def test_power_rests_on_what_is_done():
    rows = ms.design(subjects=8, items=4, within={"A": ["a1", "a2"]})
    effects, random = {"Intercept": 5, "A[T.a2]": 3}, {"subject": 1.0}
    sizes = {"subjects": [8, 12], "nsim": 40, "seed": 1}
    with pytest.warns(ms.ConvergenceWarning, match="rests on 30 of 80 responses"):
        found = ms.power(rows, "rt ~ A + (1 | subject)", effects, random, 1.0, progress=stop_after(30), **sizes)
    assert found.table["subject"].tolist() == [8]
    assert found.table["nsim"].tolist() == [30]


def test_parsimony_builds_on_no_interrupted_fit(fit, monkeypatch):
    original = random_search.fit_model
    monkeypatch.setattr(random_search, "fit_model", lambda *model: original(*model, progress=interrupt_at(0)))
    with pytest.raises(KeyboardInterrupt):
        parsimony(fit)


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a process there")
def test_ctrl_c_in_a_real_process():
    # The fit tells when it is under way, waits, and is interrupted from outside.
    code = textwrap.dedent("""
        import time, warnings
        import mixedsparse as ms

        def slowly(line):
            print("evaluation", line.nfev, flush=True)
            time.sleep(60.0 if line.number == 1 else 0.0)

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = ms.lmer(
                "Reaction ~ Days + (Days | Subject)",
                ms.datasets.load("sleepstudy"),
                start=[5.0, 0.0, 5.0],
                progress=slowly,
            )
        print(fit.fit.search.stop.name, *(w.category.__name__ for w in caught), len(fit.random_effects["Subject"]))
    """)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    seen = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=50)
    assert all(text.startswith("evaluation") for text in seen)
    assert process.returncode == 0
    assert rest.split() == ["INTERRUPTED", "ConvergenceWarning", "18"]


@pytest.mark.slow
def test_ctrl_c_keeps_the_replicates_of_a_slow_statistic():
    # Alone, and then with two workers, in one process: starting it costs more than all that it does.
    code = f"""
        import os, sys, time, warnings
        import mixedsparse as ms

        def slow(results):
            time.sleep(0.05)
            return results.criterion

        def note(done, total):
            if done >= 2:
                print("some are done", flush=True)

        warnings.simplefilter("ignore")
        fit = ms.lmer("{FORMULA}", ms.datasets.load("sleepstudy"))
        for n_jobs in (1, 2):
            found = fit.bootstrap(400, seed=1, n_jobs=n_jobs, statistic=slow, progress=note)
            print("kept", found.nsim, found.table["statistic"].notna().sum(), flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    limit = threading.Timer(240, process.kill)
    limit.start()
    try:
        for _ in range(2):
            said = process.stdout.readline()
            assert said == "some are done\n", said or process.stderr.read()
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: every process of the group gets it
            while said == "some are done\n":
                said = process.stdout.readline()
            kept, replicates, values = said.split() or ["", process.stderr.read(), ""]
            assert kept == "kept", replicates
            assert 2 <= int(replicates) < 400
            assert replicates == values
        process.communicate()
    finally:
        limit.cancel()
        process.kill()


def test_tasks_grow_so_that_the_first_replicates_are_done_soon():
    from mixedsparse.inference.replicates import in_tasks

    sizes = [len(task) for task in in_tasks(list(range(1000)), 125)]
    assert sizes[:5] == [7, 14, 28, 56, 112]
    assert set(sizes[5:-1]) == {125}
    assert sum(sizes) == 1000
    assert [len(task) for task in in_tasks([1, 2, 3], 1)] == [1, 1, 1]
