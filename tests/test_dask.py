"""Many fits on a dask cluster: joblib sends them there, and the numbers are those of one process."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import mixedsparse as ms

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
    pd.testing.assert_frame_equal(there.table, here.table)


def test_bootstrap_of_a_statistic(cluster, fit):
    here = fit.bootstrap(4, seed=1, statistic=ratio)
    there = fit.bootstrap(4, seed=1, statistic=ratio, n_jobs=2)
    pd.testing.assert_frame_equal(there.table, here.table)


def ratio(results):
    return {"ratio": results.params["Days"] / results.sigma}


def test_power(cluster):
    rows = ms.design(subjects=10, items=6, within={"A": ["a1", "a2"]})
    effects, random = {"Intercept": 5, "A[T.a2]": 0.5}, {"subject": 1.0, "item": 0.5}
    formula = "rt ~ A + (1 | subject) + (1 | item)"
    here, there = (ms.power(rows, formula, effects, random, 1.0, nsim=20, seed=3, n_jobs=jobs) for jobs in (1, 2))
    pd.testing.assert_frame_equal(there.pvalues, here.pvalues)
    pd.testing.assert_frame_equal(there.table, here.table)


def test_profile(cluster, fit):
    here, there = (fit.profile(n_jobs=jobs).conf_int(0.95) for jobs in (1, 2))
    np.testing.assert_allclose(there, here, rtol=1e-7)


def test_progress_is_told(cluster, fit):
    seen = []
    fit.bootstrap(260, seed=1, n_jobs=2, progress=lambda done, total: seen.append((done, total)))
    done = [count for count, _ in seen]
    assert done == sorted(set(done))
    assert seen[-1] == (260, 260)
