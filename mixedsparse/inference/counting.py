"""Progress of work that is counted: a bar, a function of the user's, or silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from mixedsparse.errors import BackendError

__all__ = ["CountOption", "counter"]

CountOption = bool | Callable[[int, int], None] | None
Note = Callable[[int, int], None]


def counter(progress: CountOption, what: str) -> AbstractContextManager[Note]:
    """Return a context with a function of (done, total): True draws a bar, a callable is called, None does nothing."""
    if callable(progress):
        return nullcontext(progress)
    return _bar(what) if progress else nullcontext(_silent)


def _silent(done: int, total: int) -> None:
    pass


@contextmanager
def _bar(what: str) -> Iterator[Note]:
    try:
        from tqdm.auto import tqdm
    except ImportError as err:
        raise BackendError(
            "progress=True draws its bar with tqdm: install mixedsparse[progress], or give a function of (done, total)."
        ) from err
    with tqdm(desc=what, leave=False) as bar:

        def note(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield note
