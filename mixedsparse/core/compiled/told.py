"""A word of progress before loops are compiled: that takes seconds, once for an installation."""

from __future__ import annotations

from typing import Any

from numba.core import event

from mixedsparse.ground.progress import announce

__all__ = ["TEXT"]

TEXT = "compiling loops for a model of this kind, once for an installation"


class _Teller(event.Listener):  # type: ignore[misc]
    """Told of what numba compiles; loops that it finds on disk are not among it."""

    def on_start(self, event: Any) -> None:
        if event.data["dispatcher"].py_func.__module__.startswith("mixedsparse."):
            announce(TEXT)

    def on_end(self, event: Any) -> None:
        pass


event.register("numba:compile", _Teller())  # type: ignore[no-untyped-call]
