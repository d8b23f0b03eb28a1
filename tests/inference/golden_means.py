"""Blocks of R's emmeans, rePCA, performance and cAIC4 for the golden cases, and our fits of the same models."""

from __future__ import annotations

import json
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import mixedsparse as ms
from tests.golden_cases import GoldenCase, cases

WANTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "golden" / "means.json").read_text())
DDF = {"asymptotic": "normal", "satterthwaite": "satterthwaite", "kenward_roger": "kenward-roger"}
# R's tables name their columns after the statistic.
RENAMED = {"asymp.LCL": "lower", "lower.CL": "lower", "asymp.UCL": "upper", "upper.CL": "upper", "p.value": "p"}
# Fits of these take longer than all others together.
_LARGE = ("InstEval", "Chem97")


@cache
def golden_case(name: str) -> GoldenCase:
    return next(case for case in cases() if case.name == name)


@cache
def fit_of(name: str) -> ms.MixedResults:
    case = golden_case(name)
    with warnings.catch_warnings():  # dropped rows and columns, singular fits: many of the cases
        warnings.simplefilter("ignore", ms.MixedSparseWarning)
        return ms.lmer(case.formulaic(), case.data(), reml=case.want["reml"], **case.arguments())


def cases_with(block: str) -> list[str]:
    """Names of the cases that have a block, R's spline basis and the largest fits left out."""
    names = [name for name, wanted in WANTED.items() if wanted.get(block)]
    return [name for name in names if "_ns" not in name and not any(large in name for large in _LARGE)]


def numbers(values: list[Any]) -> np.ndarray:
    """Numbers of a golden file: null is NaN, "Inf" infinity."""
    return np.array([np.nan if v is None else float(v) for v in values])


def columns(block: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Columns of one of R's data frames under our names."""
    return {RENAMED.get(name, name): values for name, values in block.items()}
