"""Results from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mixedsparse.api import storage
from mixedsparse.api.generalized import GeneralizedLinearMixedModel, GeneralizedResults
from mixedsparse.api.model import LinearMixedModel
from mixedsparse.api.results import MixedResults
from mixedsparse.fitted.generalized import GeneralizedFitted
from mixedsparse.ground.caller import CallerNames
from mixedsparse.ground.foreign import explains_arguments

__all__ = ["load"]


@explains_arguments
def load(path: str | os.PathLike[str], *, env: Mapping[str, Any] | None = None) -> MixedResults | GeneralizedResults:
    """Read results that `MixedResults.save` or `GeneralizedResults.save` has written.

    Parameters
    ----------
    path : str or path
    env : Mapping, optional
        Where functions of yours that the formula uses are found; the names of the calling function by default.

    Returns
    -------
    MixedResults or GeneralizedResults
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
    session = CallerNames(2) if env is None else env
    fitted = storage.load(path, session, LinearMixedModel, GeneralizedLinearMixedModel)
    return GeneralizedResults._of(fitted) if isinstance(fitted, GeneralizedFitted) else MixedResults._of(fitted)
