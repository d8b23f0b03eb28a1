"""Every model that comes with the project: reference fits of the tests, hard models, the data sets' own examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.problems.problem import Model

if TYPE_CHECKING:
    import mixedsparse as ms

__all__ = ["BundledModel", "bundled_models"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BundledModel(Model):
    """A model, in this package's spelling and in R's; its data lack the rows that R leaves out by `subset`.

    Parameters
    ----------
    r_formula : str
        Formula as R reads it.
    arguments : mapping
        Further keyword arguments of `LinearMixedModel`.
    """

    r_formula: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def make(self) -> ms.LinearMixedModel:
        """Make the model."""
        import mixedsparse as ms

        return ms.LinearMixedModel(self.formula, self.loader(), **self.arguments)


def bundled_models() -> Iterator[BundledModel]:
    """Yield the bundled linear models, but for R's spline basis `ns`, which formulaic does not have."""
    from benchmarks.generalized.problems import PROBLEMS
    from mixedsparse import datasets
    from tests.golden_cases import cases, hard_cases

    for case in cases():
        if "ns(" in case.formula:
            continue
        yield BundledModel(
            name=case.name,
            formula=case.formulaic(),
            r_formula=case.formula,
            reml=case.want["reml"],
            loader=case.data,
            arguments=case.arguments(),
        )
    for hard in hard_cases():
        yield BundledModel(
            name=hard.name,
            formula=hard.formula,
            r_formula=hard.formula.replace("C(", "factor("),
            reml=hard.reml,
            loader=hard.data,
        )
    generalized = {problem.name for problem in PROBLEMS}
    for name in datasets.names():
        if name.casefold() in generalized:
            continue
        formula = datasets.describe(name).example
        yield BundledModel(
            name=f"example_{name}",
            formula=formula,
            r_formula=formula,
            reml=True,
            loader=partial(datasets.load, name),
        )
