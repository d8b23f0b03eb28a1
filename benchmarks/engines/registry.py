"""All engines by name, in the order of the table in the README."""

from __future__ import annotations

from benchmarks.engines.base import Engine
from benchmarks.engines.lme4 import Lme4
from benchmarks.engines.mixedlm import Mixedlm
from benchmarks.engines.mixedsparse import Mixedsparse

__all__ = ["ENGINES"]

ENGINES: dict[str, Engine] = {engine.name: engine for engine in (Mixedsparse(), Lme4(), Mixedlm())}
