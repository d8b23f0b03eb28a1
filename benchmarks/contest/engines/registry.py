"""All engines by name, in the order of the table of docs/benchmarks.md."""

from __future__ import annotations

from benchmarks.contest.engines.base import Engine
from benchmarks.contest.engines.glmm import Glmm
from benchmarks.contest.engines.gpboost import GpBoost
from benchmarks.contest.engines.interlace import Interlace
from benchmarks.contest.engines.lme4 import Lme4
from benchmarks.contest.engines.lme_python import LmePython
from benchmarks.contest.engines.mixedlm import Mixedlm
from benchmarks.contest.engines.mixedsparse import Mixedsparse
from benchmarks.contest.engines.statsmodels import Statsmodels

__all__ = ["ENGINES"]

ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Mixedsparse(),
        Lme4(),
        Glmm(),
        Mixedlm(),
        LmePython(),
        Interlace(),
        GpBoost("cholesky"),
        GpBoost("iterative"),
        Statsmodels(),
    )
}
