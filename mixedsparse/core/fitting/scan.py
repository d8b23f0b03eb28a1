"""The only covariance parameter of a model, scanned from end to end: every valley of the criterion is seen."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mixedsparse.core.engines.dense.scan import downhill, scanned
from mixedsparse.core.fitting.outcome import Search
from mixedsparse.core.fitting.trials import criteria_at, is_better, searched
from mixedsparse.core.likelihood.interface import Engine

__all__ = ["scan"]

# Points at which a single parameter is scanned, whitened: a standard deviation over sigma.
_SCAN = np.concatenate([[0.0], 10.0 ** np.linspace(-1.5, 2.5, 17)])


def scan(engine: Engine, reml: bool, found: Search, affordable: int, limits: Any) -> Search:
    """Search from the bottom of every valley that a scan of the only parameter shows.

    Points of the scan from which the criterion falls to an end count as starts that lead there.
    """
    if affordable < len(_SCAN):
        return found
    at = np.unique(np.append(_SCAN, abs(found.theta)))
    values = scanned(engine.problem, reml, at)
    if values is None:
        values = np.array(criteria_at(engine, reml, list(at[:, None])))
    valley = downhill(values)
    own = chosen = valley[int(np.searchsorted(at, abs(found.theta[0])))]  # the end itself is one of the points
    best = found
    for bottom in sorted({*valley.tolist()} - {own}):
        again = searched(engine, reml, at[[bottom]], limits)
        if again is not None and is_better(engine.problem, again, best):
            best, chosen = again, bottom
    return dataclasses.replace(best, starts=len(at), agreed=int((valley == chosen).sum()))
