"""Numbers, text, containers and NumPy arrays as JSON and bytes.

What JSON has stands for itself; a list is a list. Anything else is an object with its kind under ``"~"``. Arrays are
bytes one after another, with a directory of types, shapes and places; an array that several fields share is there once.
"""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from mixedsparse.core.problem.absent_rows import ELSEWHERE
from mixedsparse.ground.errors import StorageError

__all__ = ["Packer", "Unpacker"]

# Arrays start at multiples of this.
_ALIGNED = 64
# Kinds of NumPy types that are bytes and nothing else.
_PLAIN = "biufcmMSU"


class Packer:
    """Collects values; `objects` packs what is neither plain nor an array, or gives None.

    Parameters
    ----------
    names : Mapping
        Names, by identity, of functions and modules of the user's session.
    objects : callable
        Takes the packer and a value.
    """

    def __init__(self, names: Mapping[int, str], objects: Callable[[Packer, Any], Any]) -> None:
        self.names, self.objects = names, objects
        self.used: set[str] = set()
        self.directory: list[dict[str, Any]] = []
        self.data = bytearray()
        self._known: dict[int, tuple[Any, int]] = {}

    def pack(self, value: Any) -> Any:
        """Value as JSON."""
        if value is None or type(value) in (bool, int, float, str):
            return value
        if type(value) is list:
            return [self.pack(item) for item in value]
        if isinstance(value, tuple):
            return {"~": "tuple", "items": [self.pack(item) for item in value]}
        if isinstance(value, np.ndarray):
            return self._array(value)
        if value is ELSEWHERE:
            return {"~": "elsewhere"}
        if id(value) in self.names:
            self.used.add(self.names[id(value)])
            return {"~": "session", "name": self.names[id(value)]}
        packed = self._container(value) or _scalar(value) or self.objects(self, value)
        if packed is None:
            raise _refusal(value)
        return packed

    def _container(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {"~": "dict", "items": [[self.pack(key), self.pack(item)] for key, item in value.items()]}
        if isinstance(value, slice):
            return {"~": "slice", "items": [self.pack(part) for part in (value.start, value.stop, value.step)]}
        if isinstance(value, (set, frozenset)):
            return {"~": "set", "items": [self.pack(item) for item in value]}
        return None

    def _array(self, array: np.ndarray) -> dict[str, Any]:
        if array.dtype.kind == "O":
            return {"~": "objects", "shape": list(array.shape), "items": [self.pack(item) for item in array.flat]}
        if array.dtype.kind not in _PLAIN:
            raise _refusal(array)
        if id(array) not in self._known:
            self._known[id(array)] = array, len(self.directory)
            order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
            self.data += bytes(-len(self.data) % _ALIGNED)
            entry = {"dtype": array.dtype.str, "shape": list(array.shape), "order": order, "start": len(self.data)}
            self.directory.append(entry)
            self.data += array.tobytes(order)  # type: ignore[arg-type]
        return {"~": "array", "at": self._known[id(array)][1]}


class Unpacker:
    """Makes the values again; `objects` unpacks kinds that are not known here.

    Parameters
    ----------
    directory : list of dict
    data : bytes
    session : Mapping
        Where functions and modules of the user are found by name.
    objects : callable
        Takes the unpacker and an object of JSON.
    """

    def __init__(
        self,
        directory: list[dict[str, Any]],
        data: bytes,
        session: Mapping[str, Any],
        objects: Callable[[Unpacker, dict[str, Any]], Any],
    ) -> None:
        self.session, self.objects = session, objects
        if sum(_size(entry) for entry in directory) > len(data):
            raise ValueError("arrays that take more bytes than there are")
        self.arrays = [_array_of(entry, data) for entry in directory]

    def unpack(self, value: Any) -> Any:
        """Value of JSON that `Packer.pack` has made."""
        if isinstance(value, list):
            return [self.unpack(item) for item in value]
        if not isinstance(value, dict):
            return value
        kind = value["~"]
        if kind == "array":
            return self.arrays[value["at"]]
        if kind == "elsewhere":
            return ELSEWHERE
        if kind == "session":
            return find(self.session, value["name"])
        if kind == "objects":
            out = np.empty(len(value["items"]), dtype=object)
            out[:] = self.unpack(value["items"])
            return out.reshape(value["shape"])
        if kind == "dict":
            return {self.unpack(key): self.unpack(item) for key, item in value["items"]}
        if kind in _CONTAINERS:
            return _CONTAINERS[kind](self.unpack(value["items"]))
        return _SCALARS[kind](value) if kind in _SCALARS else self.objects(self, value)


def find(session: Mapping[str, Any], name: str) -> Any:
    """Value of a name of the user's session.

    Raises
    ------
    StorageError
        There is none.
    """
    if name not in session:
        raise StorageError(
            f"The formula uses {name!r} of the session that fitted it, and functions are not stored: define it before "
            f"loading, or give env={{{name!r}: ...}}."
        )
    return session[name]


def _kind_of(entry: Mapping[str, Any]) -> tuple[np.dtype, list[int]]:
    """Type and shape of an array."""
    dtype, shape = np.dtype(str(entry["dtype"])), [int(size) for size in entry["shape"]]
    if dtype.kind not in _PLAIN or min(shape, default=0) < 0:
        raise ValueError(f"an array of type {dtype} and shape {shape}")
    return dtype, shape


def _size(entry: Mapping[str, Any]) -> int:
    """Bytes of an array; no two share theirs."""
    dtype, shape = _kind_of(entry)
    return dtype.itemsize * math.prod(shape)


def _array_of(entry: Mapping[str, Any], data: bytes) -> np.ndarray:
    dtype, shape = _kind_of(entry)
    flat = np.frombuffer(data, dtype, math.prod(shape), int(entry["start"])) if math.prod(shape) else np.empty(0, dtype)
    # A machine of the other byte order may have written it.
    return flat.reshape(shape, order=entry["order"]).astype(dtype.newbyteorder("="), order="K")


def _scalar(value: Any) -> dict[str, Any] | None:
    """Single values: those of NumPy, and times and decimals, which may be levels of a factor."""
    if isinstance(value, str):
        return {"~": "text", "value": str(value)}
    if isinstance(value, np.generic) and value.dtype.kind in _PLAIN:
        return {"~": "number", "dtype": value.dtype.str, "bytes": value.tobytes().hex()}
    if isinstance(value, complex):
        return {"~": "complex", "value": [value.real, value.imag]}
    # A Timestamp is a datetime too, and a datetime a date.
    kind = type(value).__name__
    if type(value) in (datetime.datetime, datetime.date, datetime.time):
        return {"~": kind, "value": value.isoformat()}
    if type(value) is datetime.timedelta:
        return {"~": kind, "value": [value.days, value.seconds, value.microseconds]}
    if type(value) in (decimal.Decimal, uuid.UUID):
        return {"~": kind, "value": str(value)}
    return None


_CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": frozenset,
    "slice": lambda items: slice(*items),
}

_SCALARS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "text": lambda v: str(v["value"]),
    "number": lambda v: np.frombuffer(bytes.fromhex(v["bytes"]), _plain(v["dtype"])).astype(_native(v["dtype"]))[0],
    "complex": lambda v: complex(*v["value"]),
    "datetime": lambda v: datetime.datetime.fromisoformat(v["value"]),
    "date": lambda v: datetime.date.fromisoformat(v["value"]),
    "time": lambda v: datetime.time.fromisoformat(v["value"]),
    "timedelta": lambda v: datetime.timedelta(*v["value"]),
    "Decimal": lambda v: decimal.Decimal(v["value"]),
    "UUID": lambda v: uuid.UUID(v["value"]),
}


def _native(text: str) -> np.dtype:
    """Return the type in the byte order of this machine."""
    return np.dtype(text).newbyteorder("=")


def _plain(text: str) -> np.dtype:
    dtype = np.dtype(text)
    if dtype.kind not in _PLAIN:
        raise ValueError(f"a number of type {dtype}")
    return dtype


def _refusal(value: Any) -> StorageError:
    named = value if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")) else type(value)
    kind = "a module" if isinstance(value, ModuleType) else f"{named.__module__}.{named.__qualname__}"
    return StorageError(
        f"The model holds {kind}, which a file cannot: convert that column (or constant of the formula) to plain "
        "numbers, text or dates before fitting, or pickle the results."
    )
