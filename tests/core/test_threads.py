"""Threads of BLAS and of compiled loops follow the limits that the user sets."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mixedsparse.core.threads import allowed_threads, lapack_threads


def test_allowed_threads_are_those_of_blas_at_the_moment():
    before = allowed_threads()
    with threadpool_limits(1, user_api="blas"):
        assert allowed_threads() == 1
    assert allowed_threads() == before


@pytest.mark.parametrize("limit", [1, 2])
def test_compiled_loops_use_no_more_threads_than_blas_may(limit):
    numba = pytest.importorskip("numba")
    from mixedsparse.core.kernels import direct as kernels

    matrix = np.eye(3)
    with threadpool_limits(limit, user_api="blas"):
        kernels.subtract(matrix, np.array([0, 2]), np.array([0, 2]), np.ones((2, 1)), np.ones((1, 1, 1)))
        assert numba.get_num_threads() == min(allowed_threads(), numba.config.NUMBA_NUM_THREADS)
    np.testing.assert_array_equal(np.tril(matrix), [[0, 0, 0], [0, 1, 0], [-1, 0, 0]])


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
