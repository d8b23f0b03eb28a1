"""Tests of fixed and random effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from mixedsparse.results.base import ResultsBase

if TYPE_CHECKING:
    from mixedsparse.inference.contrast import Denominator
    from mixedsparse.inference.kenward_roger import KenwardRoger
    from mixedsparse.inference.satterthwaite import Satterthwaite

__all__ = ["TestingMixin"]


class TestingMixin(ResultsBase):
    """Tests of `MixedResults`. Degrees of freedom are computed when first asked for, and kept."""

    __test__ = False  # not a class of tests, whatever pytest makes of the name

    @cached_property
    def _satterthwaite(self) -> Satterthwaite:
        from mixedsparse.inference.satterthwaite import satterthwaite

        return satterthwaite(self)

    @cached_property
    def _kenward_roger(self) -> KenwardRoger:
        from mixedsparse.inference.kenward_roger import kenward_roger

        return kenward_roger(self)

    def _denominator(self, ddf: str) -> Denominator:
        """Degrees of freedom by the method `ddf`, which is known."""
        from mixedsparse.inference.contrast import Normal

        if ddf == "normal":
            return Normal(self.fit.beta, self.fit.cov_beta, self.fit.sigma2)
        return self._satterthwaite if ddf == "satterthwaite" else self._kenward_roger
