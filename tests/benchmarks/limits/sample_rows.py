"""Rows of the limit report for tests."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.limits.evaluations import EvaluationRow


def evaluation(**changes):
    row = EvaluationRow(model="m", n_theta=2, correlated=False, singular=False, evaluations=7, limit=7, converged=True)
    return replace(row, **changes)
