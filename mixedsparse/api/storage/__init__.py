"""Fits in a file of plain data: a zip archive that holds no code, and runs none when it is read.

================  ==========================================================================================
``header.json``   format, versions of mixedsparse and its libraries, formula, size and SHA-256 of the rest
``results.json``  the model and the fit: names, levels, codings, numbers; which array stands where
``arrays.bin``    the arrays, to the last bit
================  ==========================================================================================

===============  ===========================================================================================
``archive``      the archive: written in one step, checked before anything is inflated
``values``       numbers, text, containers and NumPy arrays as JSON and bytes
``tables``       columns and indices of pandas
``record``       how objects of one class become fields, and come back
``records``      the classes that a file holds, with the fields of each by name
``generalized``  those of generalized fits
``specs``        what formulaic remembers of the training data
``results``      fits to records, and back
``slim``         fits without the rows of the data
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

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted
    from mixedsparse.fitted.generalized import GeneralizedModel
    from mixedsparse.fitted.model import Model

__all__ = ["load", "save"]


def save(fitted: Fitted, path: str | os.PathLike[str], data: bool) -> None:
    """Write a fit to a file; see `MixedResults.save`."""
    from mixedsparse.api.storage.archive import write
    from mixedsparse.api.storage.results import packed
    from mixedsparse.api.storage.slim import without_rows

    facts = {
        "formula": fitted.model.formula,
        "nobs": fitted.nobs,
        "method": fitted.method,
        "rows": bool(data and fitted.problem.has_rows),
    }
    members, names = packed(fitted if facts["rows"] else without_rows(fitted))
    write(Path(path), facts | {"names": names}, members)


def load(
    path: str | os.PathLike[str], session: Mapping[str, Any], linear: type[Model], generalized: type[GeneralizedModel]
) -> Fitted:
    """Read the fit that `save` has written, of one of these models; `session` has the functions of its formula."""
    from mixedsparse.api.storage.archive import VERSION_1, read, rebuilding
    from mixedsparse.api.storage.results import Models, unpacked
    from mixedsparse.api.storage.version1 import read_pickle

    path = Path(path)
    header, members = read(path)
    with rebuilding(path, header):
        understand = read_pickle if header["format_version"] == VERSION_1 else unpacked
        return understand(members, session, Models(linear, generalized))
