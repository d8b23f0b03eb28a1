"""Fits without a factorisation: conjugate gradients, stochastic traces, Newton (for factors that are too big)."""

from mixedsparse.core.engines.krylov.engine import KrylovEngine
from mixedsparse.core.engines.krylov.fit import fit_iterative

__all__ = ["KrylovEngine", "fit_iterative"]
