"""What models say of their price before they are fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mixedsparse.core.choose.engines import Engines
    from mixedsparse.report.cost import CostReport

__all__ = ["CostMixin"]


class CostMixin:
    """The price of a fit, for linear and generalized models."""

    engines: Engines

    def cost(self) -> CostReport:
        """Foresee what a fit costs, without fitting: size of the factor, memory, time, and the method for these.

        Returns
        -------
        CostReport
            ``.method`` is what ``method="auto"`` takes, ``.reason`` says why; ``.seconds``, ``.memory`` (bytes, beyond
            the data), ``.disk`` (bytes of temporary files, where pairs of levels do not fit into memory); ``.fills``:
            grouping factor that fills in; ``.table``: every way to evaluate the criterion.
            All from the pattern of Z'Z; seconds are right within a factor of two or three.

        Examples
        --------
        >>> import mixedsparse as ms
        >>> model = ms.LinearMixedModel("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
        >>> model.cost().reason
        'Subject is the only grouping factor: nothing fills in.'
        """
        from mixedsparse.report.cost import CostReport

        return CostReport.of(self.engines.foresee())
