"""Arrays that need not fit into memory: beyond a size they lie in a file, which the system reads and writes as needed.

The file has no name, so that it is gone with the last array in it, however the process ends.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import shutil
import tempfile
from typing import Any

import numpy as np

from mixedsparse.ground.errors import BackendError

__all__ = ["bytes_on_disk", "roomy", "shortened"]


def roomy(shape: tuple[int, ...], dtype: Any, most: float) -> np.ndarray:
    """Return an array for numbers to come: in memory up to `most` bytes, in a temporary file beyond.

    Raises
    ------
    BackendError
        The folder of temporary files has no room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size <= most or size == 0:
        return np.empty(shape, dtype=dtype)
    try:
        with tempfile.TemporaryFile(prefix="mixedsparse-") as file:
            _reserve(file.fileno(), size)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError as err:
        folder = tempfile.gettempdir()
        free = 0.0
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(folder).free / 2**30
        raise BackendError(
            f"Pairs of levels take {size / 2**30:,.1f} GiB in a temporary file, and {folder!r} has {free:,.1f} GiB "
            f"left ({err.strerror or err}): make room there, or name another folder in the environment variable TMPDIR "
            "before Python starts."
        ) from err


def shortened(array: np.ndarray, length: int) -> np.ndarray:
    """Return the first rows of an array of `roomy`, which must have no other views; what is behind them is freed."""
    if array.flags.owndata:
        array.resize((length, *array.shape[1:]), refcheck=False)
        return array
    file, kept = _file_of(array), array[:length]
    begin = -(-kept.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    if file is not None and begin < len(file) and hasattr(mmap, "MADV_REMOVE"):
        with contextlib.suppress(OSError):  # not every file system frees parts of a file
            file.madvise(mmap.MADV_REMOVE, begin, len(file) - begin)
    return kept


def bytes_on_disk(*arrays: np.ndarray) -> float:
    """Bytes of those arrays that lie in files of `roomy`."""
    return float(sum(array.nbytes for array in arrays if _file_of(array) is not None))


def _file_of(array: Any) -> mmap.mmap | None:
    """Return what an array is mapped from; None for one in memory."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None


def _reserve(descriptor: int, size: int) -> None:
    """Lengthen a file, its blocks set aside where the system can: writing to a full disk would end the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
        return
    if shutil.disk_usage(tempfile.gettempdir()).free < size:
        raise OSError("no space left")
    os.ftruncate(descriptor, size)
