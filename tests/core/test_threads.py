"""Threads of BLAS and of compiled loops follow the limits that the user sets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mixedsparse.ground.threads import _Limiter, allowed_threads, blas_threads, interrupts_deferred, lapack_threads


def test_allowed_threads_are_those_of_blas_at_the_moment():
    before = allowed_threads()
    with threadpool_limits(1, user_api="blas"):
        assert allowed_threads() == 1
    assert allowed_threads() == before


def threads_of(owner: str) -> list[int]:
    return [info["num_threads"] for info in threadpool_info() if f"{owner}.libs" in info["filepath"]]


def test_a_small_search_has_one_thread_of_blas():
    with lapack_threads(1e6):
        assert allowed_threads() == 1


def test_a_large_search_leaves_the_threads_to_the_lapack_of_scipy():
    if not threads_of("numpy") or not threads_of("scipy"):
        pytest.skip("NumPy and SciPy do not carry a BLAS each")
    before = threads_of("scipy"), threads_of("numpy")
    with lapack_threads(1e12):
        assert (threads_of("scipy"), threads_of("numpy")) == (before[0], [1])
    assert (threads_of("scipy"), threads_of("numpy")) == before


@dataclass
class Library:
    """A BLAS whose number of threads is one number for the process."""

    num_threads: int = 4
    filepath: str = "libblas.so"

    def set_num_threads(self, number: int) -> None:
        self.num_threads = number


class Elsewhere:
    """A limit that another Python thread opens and closes when it is told to."""

    def __init__(self, limiter: _Limiter, library: Library) -> None:
        self.entered, self.leave = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold, args=(limiter, library))
        self.thread.start()
        assert self.entered.wait(10)

    def _hold(self, limiter: _Limiter, library: Library) -> None:
        with limiter.single([library]):
            self.entered.set()
            self.leave.wait(10)

    def close(self) -> None:
        self.leave.set()
        self.thread.join(10)


def test_limits_of_several_threads_that_overlap_end_where_they_began():
    limiter, library = _Limiter(), Library()
    first = Elsewhere(limiter, library)
    second = Elsewhere(limiter, library)
    first.close()
    assert library.num_threads == 1  # the second still holds it
    second.close()
    assert library.num_threads == 4


def test_a_limit_of_another_thread_does_not_count_as_one_of_the_users():
    limiter, library = _Limiter(), Library()
    other = Elsewhere(limiter, library)
    assert limiter.allowed(library) == 4
    with limiter.single([library]):
        assert limiter.allowed(library) == 1
    other.close()
    assert limiter.allowed(library) == 4


def test_what_someone_else_sets_within_a_limit_stays():
    limiter, library = _Limiter(), Library()
    with limiter.single([library]), limiter.single([library]):
        library.set_num_threads(3)
    assert library.num_threads == 3


def test_a_child_drops_the_limits_of_threads_that_it_does_not_have():
    limiter, library = _Limiter(), Library()
    other = Elsewhere(limiter, library)
    limiter.forget_other_threads([library])
    assert library.num_threads == 4
    other.close()
    assert library.num_threads == 4


def test_a_limit_is_put_back_after_an_error():
    before = [info["num_threads"] for info in threadpool_info()]
    with pytest.raises(ZeroDivisionError), blas_threads(0.0):
        raise ZeroDivisionError
    assert [info["num_threads"] for info in threadpool_info()] == before


CHOLMOD = """
import multiprocessing
import numpy as np, mixedsparse as ms
rng = np.random.default_rng(0)
u, i = rng.integers(0, 2000, 30_000), rng.integers(0, 900, 30_000)
data = {"u": u, "i": i, "y": rng.normal(size=2000)[u] + rng.normal(size=900)[i] + rng.normal(size=30_000)}

def fit(number):
    return ms.lmer("y ~ 1 + (1 | u) + (1 | i)", data, options=ms.FitOptions(backend="cholmod")).criterion

here = fit(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert np.allclose(pool.map(fit, range(2)), here, rtol=1e-9)
print("equal")
"""


@pytest.mark.slow
def test_a_pool_that_is_forked_after_cholmod_used_its_threads_does_its_work():
    pytest.importorskip("sksparse.cholmod")
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", CHOLMOD], env=environment, timeout=240, capture_output=True, text=True)
    assert done.stdout.strip() == "equal", done.stderr


def test_an_interrupt_waits_for_the_end_of_the_context():
    seen = []

    def work():
        with interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            seen.append("to the end")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == ["to the end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupts_are_left_alone_in_other_threads():
    handlers = []

    def work():
        with interrupts_deferred():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]
