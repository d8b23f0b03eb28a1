"""The archive: a header that says what follows, checked before anything is inflated; written in one step."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mixedsparse.core.choose.memory import available_memory
from mixedsparse.ground.errors import DataError, FormulaError, StorageError
from mixedsparse.ground.files import replacing
from mixedsparse.ground.version import __version__

__all__ = ["VERSION_1", "read", "rebuilding", "write"]

_FORMAT = "mixedsparse-results"
# Raised when this version's files can no longer be read by the version before.
_FORMAT_VERSION, VERSION_1 = 2, 1
_HEADER, _PICKLE = "header.json", "results.pickle"
_LIBRARIES = ("numpy", "scipy", "pandas", "formulaic")
# A header holds a few lines; what claims to be longer is none.
_LONGEST_HEADER = 1 << 20

# What a broken archive makes zipfile raise, NotImplementedError (a RuntimeError) for settings that it does not know.
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, OSError, RuntimeError, ValueError)
# What contents that do not fit together raise, whose checksum is right all the same: of another version, or made up.
_UNFIT = (ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError, RecursionError)
_UNFIT = (*_UNFIT, TypeError, ValueError, DataError, FormulaError)


def write(path: Path, facts: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write the archive; `facts` stand in its header.

    Raises
    ------
    StorageError
        The system does not let it be written; what was there is as it was.
    """
    header = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "mixedsparse": __version__,
        "libraries": {name: version(name) for name in _LIBRARIES},
        **facts,
        "members": {name: {"size": len(data), "sha256": _digest(data)} for name, data in members.items()},
    }
    try:
        with replacing(path) as part, part.open("wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, data in {_HEADER: json.dumps(header, indent=2).encode(), **members}.items():
                    archive.writestr(name, data)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise StorageError(f"{path} cannot be written: {reason}. A file that was there is as it was.") from err


def read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and members, checked."""
    if path.is_dir():
        raise StorageError(f"{path} is a directory: give a file that results.save(path) has written.")
    with path.open("rb") as file:
        begin = file.read(4)
    if not begin.startswith(b"PK"):
        raise _foreign(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if _HEADER not in archive.namelist():
                raise _foreign(path)
            header = _checked_header(path, _inflated(path, archive, _HEADER, None))
            listed = _listed_members(path, header)
            _check_memory(path, sum(size for size, _ in listed.values()))
            members = {name: _inflated(path, archive, name, size) for name, (size, _) in listed.items()}
    except StorageError:
        raise
    except _BROKEN as err:
        raise _damaged(path) from err
    if any(_digest(members[name]) != digest for name, (_, digest) in listed.items()):
        raise _damaged(path)
    return header, members


@contextmanager
def rebuilding(path: Path, header: Mapping[str, Any]) -> Iterator[None]:
    """Context in which whatever goes wrong with the contents names the file and the versions that wrote it."""
    try:
        yield
    except StorageError as err:
        raise StorageError(f"{path}: {err}") from err
    except _UNFIT as err:
        raise StorageError(
            f"{path} was written by mixedsparse {header.get('mixedsparse')} with {_libraries(header)}, and this "
            f"installation cannot rebuild it ({type(err).__name__}: {err}): install these versions, or fit the model "
            "again."
        ) from err


def _inflated(path: Path, archive: zipfile.ZipFile, name: str, size: int | None) -> bytes:
    """One member, if its size is what the header says (of the header itself: if it is small)."""
    entry = archive.getinfo(name)
    known = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not known or (entry.file_size > _LONGEST_HEADER if size is None else entry.file_size != size):
        raise _damaged(path)
    return archive.read(entry)


def _listed_members(path: Path, header: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Size and checksum of each member that the header lists."""
    listed = {_PICKLE: header} if header["format_version"] == VERSION_1 else header.get("members")
    if not isinstance(listed, Mapping):
        raise _damaged(path)
    out = {}
    for name, entry in listed.items():
        size, digest = (entry.get("size"), entry.get("sha256")) if isinstance(entry, Mapping) else (None, None)
        if type(size) is not int or size < 0 or not isinstance(digest, str):
            raise _damaged(path)
        out[name] = size, digest
    return out


def _check_memory(path: Path, size: int) -> None:
    """Refuse what does not fit: the bytes, and the arrays that are made of them."""
    if 2.0 * size > available_memory():
        raise StorageError(f"{path} holds {size:,} bytes, twice as many as memory has room for: free some.")


def _checked_header(path: Path, text: bytes) -> dict[str, Any]:
    header = json.loads(text)
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise _foreign(path)
    number = header.setdefault("format_version", VERSION_1)
    if type(number) is not int or number < VERSION_1:
        raise _damaged(path)
    written_by, own = str(header.get("mixedsparse")), __version__
    if number > _FORMAT_VERSION or _release(written_by) > _release(own):
        raise StorageError(
            f"{path} was written by mixedsparse {written_by[:40]}, and this is the older version {own}: install "
            f"mixedsparse {written_by[:40]} or newer to read it."
        )
    return header


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _foreign(path: Path) -> StorageError:
    return StorageError(f"{path} is not a file of mixedsparse: give one that results.save(path) has written.")


def _damaged(path: Path) -> StorageError:
    return StorageError(f"{path} is damaged: what it holds does not match its checksum. Copy or save it again.")


def _release(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: ``"0.2.0rc1"`` counts as 0.2.0."""
    match = re.match(r"\d{1,9}(\.\d{1,9})*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _libraries(header: Mapping[str, Any]) -> str:
    listed = header.get("libraries")
    return ", ".join(f"{name} {number}" for name, number in listed.items()) if isinstance(listed, dict) else "others"
