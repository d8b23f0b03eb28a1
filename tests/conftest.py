"""Settings of every test run: single-threaded linear algebra, no screen, slow tests last."""

from __future__ import annotations

import os

# Set before numpy is imported. Threaded BLAS sums in an order that changes from run to run, so that the last digits do
# too; and the workers of pytest-xdist would fight for the cores.
for _library in ("OPENBLAS", "OMP", "MKL", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"

import pytest  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow tests last: a mistake shows early."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
