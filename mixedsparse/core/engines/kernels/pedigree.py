"""The loop over ancestors, compiled."""

from __future__ import annotations

from numba import njit

from mixedsparse.core.problem.pedigree import trace_ancestors

__all__ = ["compiled_trace"]

compiled_trace = njit(cache=True)(trace_ancestors)
