"""The model of some rows, made as it would be of data that have no others."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.core.problem.edits import on_rows
from mixedsparse.data.formula.frames import take
from mixedsparse.fitted.model import read
from mixedsparse.ground.errors import MixedSparseWarning

if TYPE_CHECKING:
    from mixedsparse.fitted.model import Model

__all__ = ["model_on_rows"]


def model_on_rows(model: Model, keep: np.ndarray) -> Model:
    """Return `model` for the rows of the mask `keep` (n,): levels, codings and transforms are those of these rows.

    Raises
    ------
    DataError
        They cannot support it.
    """
    design, source = model.design, model.design.source
    if source is None or design.encoding is None:
        at = np.flatnonzero(keep)
        part = replace(
            design,
            y=design.y[at],
            X=design.X[at],
            terms=tuple(on_rows(term, at) for term in design.terms),
            weights=None if design.weights is None else design.weights[at],
            offset=None if design.offset is None else design.offset[at],
            index=design.index[at],
        )
        return type(model).of_design(part)
    whole, side = source.table, design.residual
    table = replace(
        whole, n=int(keep.sum()), index=whole.index[keep], column=lambda name: take(source.columns[name], keep)
    )
    beside = [value if value is None or isinstance(value, str) else value[keep] for value in _beside(model)]
    residual = {} if side is None else {"residual": side.residual, "dispersion": side.dispersion}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedSparseWarning)  # the model of all rows has given them
        return type(model).of_design(
            *read(
                model.formula,
                table,
                weights=beside[0],
                offset=beside[1],
                contrasts=source.contrasts,
                relations=source.relations,
                env=source.env,
                **residual,
            )
        )


def _beside(model: Model) -> list[str | np.ndarray | None]:
    """Weights and offset as they were given."""
    source = model.design.source
    assert source is not None
    return [source.weights, source.offset]
