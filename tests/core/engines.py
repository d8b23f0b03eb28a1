"""Every way to factorise: the split with each form of coupling, and CHOLMOD where it is installed."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from mixedsparse.core import cholmod, coupling
from mixedsparse.core.engine import Engine, make_engine
from mixedsparse.core.problem import Problem

# Thresholds of core/coupling.py that leave only one form to choose.
_FORCED = {
    "DenseCoupling": {"_SMALL": float("inf")},
    "ListedCoupling": {
        "_SMALL": 0.0,
        "_FLOPS_PER_VISIT": 0.0,
        "_FEW_VISITS": float("inf"),
        "_FEW_NUMBERS": float("inf"),
    },
    "SparseCoupling": {"_SMALL": 0.0, "_FLOPS_PER_VISIT": 0.0, "_FEW_VISITS": 0.0},
}
_needs_cholmod = pytest.mark.skipif(not cholmod.available(), reason="scikit-sparse is not installed")
SPLITS = list(_FORCED)
ENGINES = [*SPLITS, pytest.param("cholmod", marks=_needs_cholmod)]


def engine_for(problem: Problem, kind: str) -> Engine:
    """Make the engine `kind`: ``"cholmod"`` or the split with the named coupling."""
    if kind == "cholmod":
        return make_engine(problem, "cholmod")
    with patch.multiple(coupling, **_FORCED[kind]):
        engine = make_engine(problem, "split")
    if engine.coupling is not None:
        assert type(engine.coupling).__name__ == kind
    return engine
