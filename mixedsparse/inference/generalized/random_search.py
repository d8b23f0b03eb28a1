"""The search from a maximal to a parsimonious random part of a generalized model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mixedsparse.data.formula.frames import Table
from mixedsparse.fitted.fitted import Fitted
from mixedsparse.fitted.generalized import GeneralizedFitted, GeneralizedModel
from mixedsparse.fitted.model import Model, read_design
from mixedsparse.inference.generalized.refits import check_maximum, fit_design
from mixedsparse.inference.random_search import Trail
from mixedsparse.inference.updates import trials_given

__all__ = ["GeneralizedTrail"]


@dataclass
class GeneralizedTrail(Trail):
    """Models fitted by maximum likelihood, with the family and the quadrature of the maximal one."""

    start: GeneralizedFitted

    def __post_init__(self) -> None:
        check_maximum(self.start, "parsimony")

    def read(self, formula: str, table: Table, given: Mapping[str, Any]) -> Model:
        """See `Trail.read`."""
        model, family = self.start.model, self.start.family
        arguments = {name: value for name, value in given.items() if name != "relations"}
        design = read_design(formula, table, family, arguments | {"trials": trials_given(model)})
        return type(model).of_family(design, family)

    def fit_model(self, model: Model) -> Fitted:
        """See `Trail.fit_model`."""
        assert isinstance(model, GeneralizedModel)
        found = fit_design(self.start, model, None)
        found.needs_optimum(f"The comparison with {model.formula!r}")
        return found
