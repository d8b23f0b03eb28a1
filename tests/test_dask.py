"""Many fits on a dask cluster: joblib sends them there, and the numbers are those of one process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

dask = pytest.importorskip("dask")
joblib = pytest.importorskip("joblib")
distributed = pytest.importorskip("distributed")

# dask's own: a dashboard port that is taken, and a loop that is closed while messages are under way.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", params=["threads", "processes"])
def cluster(request) -> Iterator[None]:
    """Two workers on this machine, in this process and in processes of their own."""
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=request.param == "processes", dashboard_address=None
    )
    with local, distributed.Client(local), joblib.parallel_config(backend="dask"):
        yield


@pytest.fixture(scope="module")
def fit():
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


@pytest.mark.parametrize("kind", ["parametric", "residual", "cases"])
def test_bootstrap(cluster, fit, kind):
    nsim = 6 if kind == "cases" else 260
    here = fit.bootstrap(nsim, seed=1, kind=kind)
    there = fit.bootstrap(nsim, seed=1, kind=kind, n_jobs=2)
    assert there.table.equals(here.table)  # to the bit


def test_bootstrap_of_a_statistic(cluster, fit):
    here = fit.bootstrap(4, seed=1, statistic=ratio)
    there = fit.bootstrap(4, seed=1, statistic=ratio, n_jobs=2)
    assert there.table.equals(here.table)  # to the bit


def ratio(results):
    return {"ratio": results.params["Days"] / results.sigma}


def test_power(cluster):
    rows = ms.design(subjects=10, items=6, within={"A": ["a1", "a2"]})
    effects, random = {"Intercept": 5, "A[T.a2]": 0.5}, {"subject": 1.0, "item": 0.5}
    formula = "rt ~ A + (1 | subject) + (1 | item)"
    here, there = (ms.power(rows, formula, effects, random, 1.0, nsim=20, seed=3, n_jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(there.pvalues, here.pvalues)
    assert there.table.equals(here.table)  # to the bit


def test_profile(cluster, fit):
    here, there = (fit.profile(n_jobs=jobs).conf_int(0.95) for jobs in (1, 2))
    np.testing.assert_allclose(there, here, rtol=1e-7)


def test_progress_is_told(cluster, fit):
    seen = []
    fit.bootstrap(260, seed=1, n_jobs=2, progress=lambda done, total: seen.append((done, total)))
    done = [count for count, _ in seen]
    assert done == sorted(set(done))
    assert seen[-1] == (260, 260)


def dies(here, results):
    """Ends its process, but not that which made the fit."""
    if os.getpid() != here:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


def dies_late(here, results):
    """Ends its process at a replicate that comes after others."""
    if os.getpid() != here and results.params["Days"] < LATE:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


# The least slope of the first five replicates is above this, that of a later one below.
LATE = 8.5


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_workers_that_keep_dying_end_in_an_error_that_names_the_task(fit):
    """Joblib waits for ever for a task that dask has given up."""
    few = dask.config.set({"distributed.scheduler.allowed-failures": 1})
    with (
        few,
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        distributed.Client(local),
        joblib.parallel_config(backend="dask"),
    ):
        with pytest.raises(
            ms.BackendError, match=r"workers, one after another, died with task 1 of \d+ \(0 are done\)"
        ):
            fit.bootstrap(8, seed=1, statistic=partial(dies, os.getpid()), n_jobs=2)
        whole = fit.bootstrap(20, seed=1).table
        first = int(np.flatnonzero(whole["Days"] < LATE)[0])
        assert first >= 5
        with pytest.warns(ms.ConvergenceWarning, match=r"died with task \d+ of \d+"):
            found = fit.bootstrap(20, seed=1, statistic=partial(dies_late, os.getpid()), n_jobs=2)
        assert 0 < len(found.table) <= first
        pd.testing.assert_frame_equal(found.table[whole.columns], whole[: len(found.table)])


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_processes_that_die_end_in_an_error(fit):
    with joblib.parallel_config(backend="loky"), pytest.raises(ms.BackendError, match="A worker died with one of the"):
        fit.bootstrap(8, seed=1, statistic=partial(dies, os.getpid()), n_jobs=2)
