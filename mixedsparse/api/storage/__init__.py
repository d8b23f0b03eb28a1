"""Results in a file of plain data: a zip archive that holds no code, and runs none when it is read.

================  ==========================================================================================
``header.json``   format, versions of mixedsparse and its libraries, formula, size and SHA-256 of the rest
``results.json``  the model and the fit: names, levels, codings, numbers; which array stands where
``arrays.bin``    the arrays, to the last bit
================  ==========================================================================================

===============  ===========================================================================================
``archive``      the archive: written in one step, checked before anything is inflated
``values``       numbers, text, containers and NumPy arrays as JSON and bytes
``tables``       columns and indices of pandas
``records``      the classes that a file holds, with the fields of each by name
``specs``        what formulaic remembers of the training data
``results``      results to records, and back
``slim``         results without the rows of the data
``version1``     files of mixedsparse 0.1.0, which were pickles: read as data, not as code
===============  ===========================================================================================

A formula may use functions of the user's session. They are not written, only their names: reading finds them in the
session that reads, as `mixedsparse.lmer` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mixedsparse.ground.caller import CallerNames
from mixedsparse.ground.errors import StorageError
from mixedsparse.ground.foreign import explains_arguments

if TYPE_CHECKING:
    from mixedsparse.api.results import MixedResults

__all__ = ["StorageError", "load", "save"]


def save(results: MixedResults, path: str | os.PathLike[str], *, data: bool = True) -> None:
    """Write `results` to a file; see `MixedResults.save`."""
    from mixedsparse.api.storage.archive import write
    from mixedsparse.api.storage.results import packed
    from mixedsparse.api.storage.slim import without_rows

    facts = {
        "formula": results.formula,
        "nobs": results.nobs,
        "method": results.method,
        "rows": bool(data and results.model.problem.has_rows),
    }
    members, names = packed(results if data else without_rows(results))
    write(Path(path), facts | {"names": names}, members)


@explains_arguments
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
        Equal to what was saved: estimates, tests and predictions agree to the last bit on the same machine. What an
        iterative fit solves for anew agrees to the tolerance of its solutions.

    Raises
    ------
    StorageError
        The file is not one of ours, is damaged, comes from a newer version of mixedsparse, or its formula uses a
        function that `env` does not have.
    FileNotFoundError
        There is no such file.

    Notes
    -----
    Reading runs no code of the file, which holds numbers and text only; files of mixedsparse 0.1.0, which were pickles,
    are read as data too. But a formula is code that `predict` evaluates: look at the `formula` of a file from elsewhere
    before predicting with it.

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
    from mixedsparse.api.storage.archive import VERSION_1, read, rebuilding
    from mixedsparse.api.storage.results import unpacked
    from mixedsparse.api.storage.version1 import read_pickle

    path = Path(path)
    header, members = read(path)
    session = CallerNames(2) if env is None else env
    with rebuilding(path, header):
        return read_pickle(members, session) if header["format_version"] == VERSION_1 else unpacked(members, session)
