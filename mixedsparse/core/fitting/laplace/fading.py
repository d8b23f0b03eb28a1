"""How much the rows say of the fixed part: next to nothing where it separates the responses."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from mixedsparse.core.likelihood.laplace.criterion import Curvature

__all__ = ["falls_below", "weakest"]


def weakest(curvature: Curvature) -> float:
    """Return the smallest eigenvalue of the information on gamma."""
    return float(np.linalg.eigvalsh(curvature.information)[0]) if len(curvature.information) else 1.0


def falls_below(curvature: Curvature, least: float) -> bool:
    """Whether that eigenvalue is below `least`: by a pivot, which costs less than the eigenvalue."""
    p = len(curvature.information)
    return p > 0 and lapack.dpotrf(curvature.information - least * np.eye(p), lower=1)[1] != 0
