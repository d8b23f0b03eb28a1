"""The engines of one problem, each made once and kept, and what they were foreseen to cost."""

from __future__ import annotations

from mixedsparse.core.choose.candidates import LINEAR, Cost, Demands
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.choose.plan import is_small, plan
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem
from mixedsparse.ground.limits import LIMITS, Limits

__all__ = ["Engines"]


class Engines:
    """Engines by back end, and ``"iterative"``; call it with a back end and a method.

    Attributes
    ----------
    made : dict
    cost : Cost or None
        What was foreseen; None while there was no need to.
    """

    def __init__(
        self, problem: Problem, cost: Cost | None = None, limits: Limits = LIMITS, demands: Demands = LINEAR
    ) -> None:
        self.problem, self.limits, self.demands = problem, limits, demands
        self.made: dict[str, Engine] = {}
        self.cost = cost

    def again(self, problem: Problem | None = None) -> Engines:
        """Return engines of which none is made yet, by the same cost and limits, of `problem` where it is another."""
        return Engines(self.problem if problem is None else problem, self.cost, self.limits, self.demands)

    def __call__(self, backend: str = "auto", method: str = "direct") -> Engine:
        """Return the engine for `backend`, or the one that `method` asks for."""
        if method == "auto":
            # The iterative method knows triangles only.
            small = backend != "auto" or self.problem.is_structured or is_small(self.problem, self.limits)
            method = "direct" if small else self.foresee().method
        key = "iterative" if method == "iterative" else backend
        if key not in self.made:
            cost = self.cost
            known = key == "auto" and cost is not None and cost.method == "direct"
            self.made[key] = make_engine(self.problem, cost.backend if known and cost else backend, method, self.limits)
        return self.made[key]

    def foresee(self) -> Cost:
        """Cost of a fit by the method that suits best."""
        if self.cost is None:
            planned = plan(self.problem, limits=self.limits, demands=self.demands)
            self.cost = planned.cost
            if planned.engine is not None:
                self.made.setdefault("auto", planned.engine)
        return self.cost

    def expectations(self, engine: Engine) -> tuple[int, float]:
        """Return evaluations and seconds that a search is expected to take; zeros where nothing was foreseen."""
        for candidate in () if self.cost is None else self.cost.candidates:
            if candidate.name == engine.name:
                return candidate.evaluations, candidate.seconds
        return 0, 0.0
