"""The environment, for reports of faults."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from mixedsparse.ground.foreign import explains_arguments
from mixedsparse.ground.threads import thread_libraries
from mixedsparse.ground.version import __version__

__all__ = ["show_versions"]

_NEEDED = ("numpy", "scipy", "pandas", "formulaic", "narwhals", "numba", "threadpoolctl", "joblib")
_OPTIONAL = (
    *("scikit-sparse", "duckdb", "ibis-framework", "pyarrow", "polars", "matplotlib", "tqdm", "scikit-learn"),
    *("python-docx", "arviz", "maketables", "marginaleffects", "statsmodels"),
)


@explains_arguments
def show_versions() -> None:
    """Print the versions of this package, Python, the system and the packages used, and the threads of BLAS.

    Examples
    --------
    >>> import mixedsparse as ms
    >>> ms.show_versions()
    mixedsparse ...
    """
    print(f"mixedsparse {__version__}")
    print(f"Python {sys.version.split()[0]} ({platform.python_implementation()}), {platform.platform()}")
    print(f"cores: {os.cpu_count()}")
    for name in (*_NEEDED, *_OPTIONAL):
        print(f"{name}: {_version(name)}")
    for line in thread_libraries():
        print(line)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
