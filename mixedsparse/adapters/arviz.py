"""Bootstrap replicates for ArviZ."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from mixedsparse.ground.errors import BackendError

if TYPE_CHECKING:
    from mixedsparse.inference.bootstrap import Bootstrap

__all__ = ["inference_data"]


def inference_data(boot: Bootstrap) -> Any:
    """Replicates of a bootstrap as ArviZ's InferenceData, for its plots and summaries.

    They are draws of estimates around the fit, not of a posterior distribution; ArviZ's group ``posterior`` holds them
    because its functions look there.

    Parameters
    ----------
    boot : Bootstrap

    Returns
    -------
    arviz.InferenceData
        One chain, a draw per replicate that did not fail, a variable per column of ``boot.table``; attributes name the
        kind, the seed and the formula.

    Raises
    ------
    BackendError
        ArviZ is not installed.
    """
    try:
        from arviz import from_dict
    except ImportError as err:
        raise BackendError("This needs arviz: install mixedsparse[arviz].") from err
    table = boot.table.drop(index=boot.failures.index)
    draws = {str(name): table[name].to_numpy(dtype=float)[np.newaxis] for name in table}
    attributes = {"kind": f"{boot.kind} bootstrap", "seed": boot.seed, "formula": boot.results.formula}
    if "posterior" in signature(from_dict).parameters:  # before ArviZ 1.0
        return from_dict(posterior=draws, attrs=attributes)
    return from_dict({"posterior": draws}, attrs={"/": attributes})
