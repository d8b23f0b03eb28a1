"""All figures of one model beside lme4's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.agreement.differences import at_theta, differences
from benchmarks.agreement.lme4_fits import Lme4Fit
from benchmarks.problems.bundled import BundledModel

__all__ = ["SAME_THETA", "Agreement", "compare_model"]

# Both programs sum the same doubles in another order; data moved by 1e8 cost lme4 half of its digits.
SAME_THETA = 1e-6
# Criteria closer than this (absolute, and relative to their size) are equal: rounding, and flat optima.
EQUAL_ABS, EQUAL_REL = 1e-6, 1e-10


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Comparison of one model.

    Parameters
    ----------
    model : str
    gap : float
        lme4's criterion minus ours. At an optimum a gap d leaves parameters apart by about sqrt(d) standard errors.
    tolerance : float
        Gap up to which the criteria are equal.
    optimum, same_theta : mapping of str to float
        Worst difference of each figure at each program's optimum, and at lme4's theta; see `differences` for the units.
    error : str
        Why there is no comparison.
    """

    model: str
    gap: float = 0.0
    tolerance: float = EQUAL_ABS
    optimum: Mapping[str, float] = field(default_factory=dict)
    same_theta: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def excess(self) -> float:
        """The gap, 0 where it is within the tolerance."""
        return 0.0 if abs(self.gap) <= self.tolerance else self.gap

    @property
    def agrees(self) -> bool:
        """Whether the programs compute the same, and our optimum is not the worse one."""
        return self.error is None and self.excess >= 0 and max(self.same_theta.values()) < SAME_THETA


def compare_model(model: BundledModel, theirs: Lme4Fit) -> Agreement:
    """Fit `model` here and compare all figures with `theirs`."""
    if theirs.error is not None:
        return Agreement(model=model.name, error=f"lme4: {theirs.error}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = model.make().fit(model.reml)
    if len(ours.theta) != len(theirs.numbers["theta"]) or len(ours.params) != len(theirs.numbers["beta"]):
        return Agreement(model=model.name, error="lme4 reads another model out of the formula")
    theta, same = at_theta(ours, theirs)
    return Agreement(
        model=model.name,
        gap=float(theirs.numbers["criterion"][0]) - ours.criterion,
        tolerance=max(EQUAL_ABS, EQUAL_REL * abs(ours.criterion)),
        optimum=differences(ours, theirs, theta),
        same_theta=same,
    )
