"""Every way to factorise: the split with each form of coupling, and CHOLMOD where it is installed."""

from __future__ import annotations

import pytest

from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.core.engines.split import coupling
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem

SPLITS = ["DenseCoupling", "ListedCoupling", "PairedCoupling", "SparseCoupling"]
_needs_cholmod = pytest.mark.skipif(not cholmod.available(), reason="scikit-sparse is not installed")
ENGINES = [*SPLITS, pytest.param("cholmod", marks=_needs_cholmod)]


def engine_for(problem: Problem, kind: str) -> Engine:
    """Make the engine `kind`: ``"cholmod"`` or the split with the named coupling."""
    if kind == "cholmod":
        return make_engine(problem, "cholmod")
    engine = make_engine(problem, "split")
    if engine.coupling is not None:
        if kind == "PairedCoupling" and engine.gram.shape[1] > 1:
            pytest.skip("pairs are listed for one effect per level only")
        engine.coupling = coupling.make_coupling(engine.rest, getattr(coupling, kind))
    return engine
