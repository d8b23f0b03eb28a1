"""What the user's own frame tells: names that a formula may use, and the line that a warning should point at."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["CallerNames", "user_level"]


class CallerNames(Mapping[str, Any]):
    """Names of the frame `depth` levels above the maker, looked up only when a formula needs them."""

    def __init__(self, depth: int) -> None:
        frame = sys._getframe(depth + 1)
        self._locals, self._globals = frame.f_locals, frame.f_globals

    def __getitem__(self, name: str) -> Any:
        """Value of `name`, locals first."""
        return self._locals[name] if name in self._locals else self._globals[name]

    def __iter__(self) -> Iterator[str]:
        """All names, each once."""
        return iter({**self._globals, **self._locals})

    def __len__(self) -> int:
        """Count the names."""
        return len({**self._globals, **self._locals})


def user_level() -> int:
    """Stack level, for a `warnings.warn` in the calling function, of the nearest frame outside the package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mixedsparse"):
        frame, level = frame.f_back, level + 1
    return level
