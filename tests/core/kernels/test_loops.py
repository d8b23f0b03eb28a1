"""Compiled loops beside threads and forks, each in a process of its own that must end in time."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("numba")

LAYERS = ["omp", "workqueue"]
SECONDS = 240  # compiling on a busy machine included; what hangs never ends

START = """
import multiprocessing, os, sys
import numpy as np, numba
from mixedsparse.core.engines.kernels import direct
from mixedsparse.core.engines.kernels import krylov
import mixedsparse.core.engines.kernels.direct as direct

direct.allowed_threads = lambda: 2
rng = np.random.default_rng(1)
indices = np.sort(rng.integers(0, 90, (400, 6)), axis=1)
indptr = 6 * np.arange(401)
values, cov = rng.normal(size=(2400, 1)), rng.uniform(1, 2, (400, 1, 1))
x = rng.normal(size=(90, 1, 3))

def work(number):
    matrix, out = np.zeros((90, 90)), np.zeros((400, 1, 3))
    direct.subtract(matrix, indptr, indices.ravel(), values, cov)
    krylov.add_product(indptr, indices.ravel(), None, x, out, many=0)
    return matrix.tobytes() + out.tobytes()

"""


def run(code: str, layer: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer, "NUMBA_NUM_THREADS": "2"}
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", START + code],
        env=environment,
        timeout=SECONDS,
        capture_output=True,
        text=True,
    )


# One process for each layer: starting it costs more than all that it does.
CHECKS = """
expected = work(0)
if hasattr(os, "fork"):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(work, range(4)) == [expected] * 4
    assert work(0) == expected
    print("a pool that is forked after loops with threads does its work")

from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as executor:
    assert set(executor.map(work, range(200))) == {expected}
print("loops of several Python threads take turns where they must")

numba.set_num_threads(2)
direct.allowed_threads = lambda: 1
work(0)
assert numba.get_num_threads() == 2
numba.set_num_threads(1)
direct.allowed_threads = lambda: 2
work(0)
assert numba.get_num_threads() == 1
print("the mask of threads that the user has set in numba stays")
print(numba.threading_layer())
"""


@pytest.mark.parametrize("layer", LAYERS)
def test_loops_beside_forks_threads_and_masks(layer):
    done = run(CHECKS, layer)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, [layer]), done.stdout + done.stderr


def test_both_forms_of_a_loop_are_kept_apart_in_the_cache():
    from mixedsparse.core.engines.kernels import krylov as kernels
    from mixedsparse.core.engines.kernels.loops import Loop

    loops = [loop for loop in vars(kernels).values() if isinstance(loop, Loop)]
    assert len(loops) == 5
    for loop in loops:
        assert loop._serial.py_func.__qualname__ != loop._threaded.py_func.__qualname__


@pytest.mark.parametrize("limit", [1, 2])
def test_loops_start_no_more_threads_than_blas_may_use(limit, monkeypatch):
    from mixedsparse.core.engines.kernels import direct, loops

    loops.get_num_threads()  # starts numba's threads
    used = []
    monkeypatch.setattr(direct, "allowed_threads", lambda: limit)
    monkeypatch.setattr(loops, "get_num_threads", lambda: 8)
    monkeypatch.setattr(loops, "set_num_threads", used.append)
    matrix = np.eye(3)
    direct.subtract(matrix, np.array([0, 2]), np.array([0, 2]), np.ones((2, 1)), np.ones((1, 1, 1)))
    assert used == ([] if limit == 1 else [2, 8])
    np.testing.assert_array_equal(np.tril(matrix), [[0, 0, 0], [0, 1, 0], [-1, 0, 0]])
