"""Residual covariances in files; see `mixedsparse.api.storage.records`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mixedsparse.api.storage.record import Fields, Record, record
from mixedsparse.core.problem.edits import with_residual
from mixedsparse.core.problem.whitened import joined_by
from mixedsparse.core.residual.dispersion import Dispersion
from mixedsparse.core.residual.exchangeable import Exchangeable
from mixedsparse.core.residual.product import Product
from mixedsparse.core.residual.series import Series
from mixedsparse.core.residual.templates import (
    Autoregressive,
    CompoundSymmetric,
    ToeplitzTemplate,
    UnstructuredTemplate,
)
from mixedsparse.core.residual.visits import Visits
from mixedsparse.data.formula.residual import ResidualSide

if TYPE_CHECKING:
    from mixedsparse.core.problem.problem import Problem
    from mixedsparse.data.formula.design import Design

__all__ = ["RECORDS", "whitened_again"]


def _dispersion(fields: Fields) -> Dispersion:
    return Dispersion(fields["W"], tuple(fields["names"]))


def _autoregressive(fields: Fields) -> Autoregressive:
    return Autoregressive(fields["k"], fields["het"], fields["places"])


RECORDS: Mapping[str, Record] = {
    "residual side": record(
        ResidualSide,
        "residual dispersion structure kind group groups order order_column strata stratum parsed encoder env",
    ),
    "dispersion": record(Dispersion, "W names", build=_dispersion, rebuilt=("groups", "shown")),
    "exchangeable": record(Exchangeable, "groups name"),
    "series": record(Series, "groups times name continuous"),
    "visits": record(Visits, "groups visits labels template"),
    "product": record(Product, "spread inner"),
    "unstructured template": record(UnstructuredTemplate, "k"),
    "compound symmetric template": record(CompoundSymmetric, "k het"),
    "autoregressive template": record(Autoregressive, "k het places", build=_autoregressive),
    "toeplitz template": record(ToeplitzTemplate, "k het"),
}


def whitened_again(design: Design, problem: Problem, fit: Any) -> Problem:
    """Return the `problem` of a file with the whitener of its rows, which is not stored."""
    if design.residual is None or problem.origin is None or getattr(fit, "residual", None) is None:
        return problem
    structure = design.residual.structure
    return with_residual(joined_by(problem.origin, structure), structure, structure.at(fit.residual))
