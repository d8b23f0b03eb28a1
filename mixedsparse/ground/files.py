"""Files that are written beside their place first, and folders for what does not fit into memory.

What is at a place changes in one step or not at all. What a killed process has left is removed by the next one: parts
and folders are locked as long as their process lives.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a file that someone writes cannot be removed anyway
    fcntl = None  # type: ignore[assignment]

__all__ = ["replacing", "scratch_folder"]

_BEGIN, _END = ".mixedsparse-", ".part"
_FOLDER = re.compile(r"mixedsparse-[0-9a-f]{32}")


@contextlib.contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Context with the path of an empty file, which takes the place of `target` at the end, or goes after an error.

    A link stays a link, and a file keeps its permissions. Whatever several threads or processes write at once, one of
    their files is there whole. Parts that a killed process has left in the directory are removed.
    """
    place = Path(os.path.realpath(target))
    if place.is_dir():
        raise IsADirectoryError(f"{str(target)!r} is a directory: give the path of a file")
    _remove_leftovers(place.parent)
    part, held = _new_part(place.parent)
    try:
        yield part
        with contextlib.suppress(FileNotFoundError):
            os.chmod(part, stat.S_IMODE(place.stat().st_mode))
        if held is not None and fcntl is None:
            os.close(held)
            held = None
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
        if held is not None:
            os.close(held)


def scratch_folder(parent: str | os.PathLike[str]) -> tuple[Path, Callable[[], None]]:
    """Make an empty folder in `parent`; return its path, and what removes it. Folders of killed processes go."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            for entry in list(os.scandir(parent)):
                if _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                    _remove_folder_if_left(entry.path)
    while True:
        folder = Path(parent) / f"mixedsparse-{uuid.uuid4().hex}"
        folder.mkdir(mode=0o700)
        if fcntl is None:
            return folder, partial(shutil.rmtree, folder, ignore_errors=True)
        held = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        _lock(held)
        if folder.exists():
            return folder, partial(_remove_folder, folder, held)
        os.close(held)  # someone took it for a leftover before it was locked


def _remove_folder(folder: str | os.PathLike[str], held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


def _remove_folder_if_left(path: str) -> None:
    with contextlib.suppress(OSError):
        held = os.open(path, os.O_RDONLY)
        if _lock(held):
            _remove_folder(path, held)
        else:
            os.close(held)


def _new_part(folder: Path) -> tuple[Path, int]:
    """Make an empty file that is locked as long as its descriptor is open: a lock goes with its process."""
    while True:
        part = folder / f"{_BEGIN}{uuid.uuid4().hex}{_END}"
        held = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
        _lock(held)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(part).st_ino == os.fstat(held).st_ino:
                return part, held
        os.close(held)  # someone took it for a leftover before it was locked


def _remove_leftovers(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.startswith(_BEGIN) and entry.name.endswith(_END):
                _remove_if_left(entry.path)


def _remove_if_left(path: str) -> None:
    with contextlib.suppress(OSError):
        held = os.open(path, os.O_RDWR)
        try:
            if fcntl is None:
                os.close(held)
                held = -1
            if fcntl is None or _lock(held):
                os.unlink(path)
        finally:
            if held >= 0:
                os.close(held)


def _lock(descriptor: int) -> bool:
    """Whether nobody else has the file locked; a file system without locks says no."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
