"""Results in a file: a zip archive with a JSON header that says what it holds, and the results themselves.

=================  =========================================================================================
``header.json``    format, versions of mixedsparse and its libraries, formula, size and SHA-256 of the rest
``results.pickle`` the model and the fit, arrays to the last bit; no names from outside the libraries below
=================  =========================================================================================

A formula may use functions of the user's session. They are not written, only their names: reading finds them in the
session that reads, as `mixedsparse.lmer` does.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import re
import zipfile
import zlib
from collections.abc import Mapping
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mixedsparse.caller import CallerNames
from mixedsparse.errors import MixedSparseError

if TYPE_CHECKING:
    from mixedsparse.results import MixedResults

__all__ = ["StorageError", "load", "save"]

_FORMAT = "mixedsparse-results"
# Raised when old files can no longer be read.
_FORMAT_VERSION = 1
_HEADER, _PAYLOAD = "header.json", "results.pickle"
_LIBRARIES = ("numpy", "scipy", "pandas", "formulaic")
# Where the classes and functions of a file may come from; of builtins only types without side effects.
_PACKAGES = {"mixedsparse", *_LIBRARIES, "pyarrow", "collections", "datetime", "zoneinfo", "decimal", "fractions"}
_BUILTINS = {"bytearray", "complex", "frozenset", "object", "range", "set", "slice"}

# What a broken archive makes zipfile raise, NotImplementedError (a RuntimeError) for settings that it does not know.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError)


class StorageError(MixedSparseError, ValueError):
    """A file cannot be read or written: not ours, damaged, from a newer version, or it needs a name that is missing."""


def save(results: MixedResults, path: str | os.PathLike[str]) -> None:
    """Write `results` to a file; see `MixedResults.save`."""
    payload = io.BytesIO()
    names = _outside_names(results)
    _Writer(payload, names).dump(results)
    data = payload.getvalue()
    header = {
        "format": _FORMAT,
        "format_version": _FORMAT_VERSION,
        "mixedsparse": _own_version(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "formula": results.formula,
        "nobs": results.nobs,
        "method": results.method,
        "names": sorted(names.values()),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    _write(Path(path), {_HEADER: json.dumps(header, indent=2).encode(), _PAYLOAD: data})


def load(path: str | os.PathLike[str], *, env: Mapping[str, Any] | None = None) -> MixedResults:
    """Read results that `MixedResults.save` has written.

    Parameters
    ----------
    path : str or path
    env : Mapping, optional
        Where functions of yours that the formula uses are found; the names of the calling function by default.

    Returns
    -------
    MixedResults
        Equal to what was saved: predictions agree to the last bit on the same machine.

    Raises
    ------
    StorageError
        The file is not one of ours, is damaged, comes from a newer version of mixedsparse, or its formula uses a
        function that `env` does not have.
    FileNotFoundError
        There is no such file.

    Notes
    -----
    Read files only from people whose scripts you would run. The checksum finds damage, not malice; classes and
    functions from outside numpy, scipy, pandas, pyarrow, formulaic and mixedsparse are refused, but the results are a
    pickle, and a formula is code that `predict` evaluates.

    Examples
    --------
    >>> import tempfile, pathlib, mixedsparse as ms
    >>> fit = ms.lmer("Yield ~ 1 + (1 | Batch)", ms.datasets.load("Dyestuff"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fit.save(pathlib.Path(folder) / "dyestuff.fit")
    ...     again = ms.load(pathlib.Path(folder) / "dyestuff.fit")
    >>> again.criterion == fit.criterion
    True
    """
    path = Path(path)
    header, data = _read(path)
    session = CallerNames(1) if env is None else env
    try:
        return _Reader(io.BytesIO(data), path, session).load()
    except (AttributeError, ImportError, IndexError, KeyError, TypeError, pickle.UnpicklingError) as err:
        raise StorageError(
            f"{path} was written by mixedsparse {header['mixedsparse']} with {_listed(header)}, and this installation "
            f"cannot rebuild it ({err}): install these versions, or fit the model again."
        ) from err


def _outside_names(results: MixedResults) -> dict[int, str]:
    """Functions and modules of the user's session that the formula uses: id -> name there."""
    design = results.model.design
    sessions = [part.env for part in (design.encoding, design.source) if part is not None]
    return {
        id(value): name
        for env in sessions
        for name, value in env.items()
        if callable(value) or isinstance(value, ModuleType)
    }


def _is_permitted(obj: Any) -> bool:
    """Whether a class or function may stand in a file."""
    module = getattr(obj, "__module__", None) or type(obj).__module__
    if module == "builtins":
        return getattr(obj, "__name__", "") in _BUILTINS
    return module.split(".")[0] in _PACKAGES


class _Writer(pickle.Pickler):
    """Pickler that writes names of the user's session as such, and refuses what the reader would refuse."""

    def __init__(self, file: io.BytesIO, names: Mapping[int, str]) -> None:
        super().__init__(file, protocol=5)
        self._names = names

    def persistent_id(self, obj: Any) -> str | None:
        return self._names.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Enum):
            # Python 3.11.0 to 3.11.3 write a call of getattr, which the reader takes for foreign code.
            return type(obj), (obj.value,)
        if (isinstance(obj, type) or callable(obj)) and not _is_permitted(obj):
            kind = f"{getattr(obj, '__module__', '?')}.{getattr(obj, '__qualname__', repr(obj))}"
            raise StorageError(
                f"The model holds {kind}, which a file cannot: convert that column (or constant of the formula) to "
                "plain numbers, text or dates before fitting, or pickle the results."
            )
        return NotImplemented


class _Reader(pickle.Unpickler):
    """Unpickler that finds nothing but classes and functions of the libraries, and names of the session."""

    def __init__(self, file: io.BytesIO, path: Path, session: Mapping[str, Any]) -> None:
        super().__init__(file)
        self._path, self._session = path, session

    def persistent_load(self, name: str) -> Any:
        if name not in self._session:
            raise StorageError(
                f"The formula of {self._path} uses {name!r} of the session that fitted it: define it before "
                f"loading, or give env={{{name!r}: ...}}."
            )
        return self._session[name]

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name) if _may_import(module) else None
        if found is None or not _is_permitted(found):
            raise StorageError(
                f"{self._path} refers to {module}.{name}, which no file of mixedsparse does: it is damaged or was "
                "tampered with, and is not read."
            )
        return found


def _may_import(module: str) -> bool:
    return module == "builtins" or module.split(".")[0] in _PACKAGES


def _write(path: Path, members: Mapping[str, bytes]) -> None:
    """Write the archive under a temporary name first: an interrupted save leaves the old file as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, Any], bytes]:
    """Header and payload, checked."""
    with path.open("rb") as file:
        begin = file.read(4)
    if not begin.startswith(b"PK"):
        raise _foreign(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if _HEADER not in archive.namelist():
                raise _foreign(path)
            header = _checked_header(path, archive.read(_HEADER))
            data = archive.read(_PAYLOAD)
    except _BROKEN as err:
        raise _damaged(path) from err
    if len(data) != header.get("size") or hashlib.sha256(data).hexdigest() != header.get("sha256"):
        raise _damaged(path)
    return header, data


def _checked_header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except ValueError as err:
        raise _damaged(path) from err
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise _foreign(path)
    written_by, own = str(header.get("mixedsparse")), _own_version()
    if header.get("format_version", 0) > _FORMAT_VERSION or _release(written_by) > _release(own):
        raise StorageError(
            f"{path} was written by mixedsparse {written_by}, and this is the older version {own}: install mixedsparse "
            f"{written_by} or newer to read it."
        )
    return header


def _foreign(path: Path) -> StorageError:
    return StorageError(f"{path} is not a file of mixedsparse: give one that results.save(path) has written.")


def _damaged(path: Path) -> StorageError:
    return StorageError(f"{path} is damaged: what it holds does not match its checksum. Copy or save it again.")


def _own_version() -> str:
    from mixedsparse import __version__

    return __version__


def _release(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: ``"0.2.0rc1"`` counts as 0.2.0."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _listed(header: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number}" for name, number in header.get("libraries", {}).items())
