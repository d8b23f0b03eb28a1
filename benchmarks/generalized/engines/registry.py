"""All engines by name, in the order of the table of docs/benchmarks.md."""

from __future__ import annotations

from benchmarks.generalized.engines.base import GeneralizedEngine
from benchmarks.generalized.engines.glmm import Glmm
from benchmarks.generalized.engines.gpboost import GpBoost
from benchmarks.generalized.engines.lme_python import LmePython
from benchmarks.generalized.engines.mixedlm import Mixedlm
from benchmarks.generalized.engines.mixedsparse import MixedsparseGlmer
from benchmarks.generalized.engines.r import RProgram

__all__ = ["ENGINES"]

ENGINES: dict[str, GeneralizedEngine] = {
    engine.name: engine
    for engine in (
        MixedsparseGlmer(),
        RProgram("lme4"),
        RProgram("glmmTMB"),
        Glmm(),
        Mixedlm(),
        LmePython(),
        GpBoost(),
    )
}
