"""The logger of this package, ``logging.getLogger("mixedsparse")``: silent unless a program listens to it."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["log_fit"]

_LOGGER = logging.getLogger("mixedsparse")
_LOGGER.addHandler(logging.NullHandler())


def log_fit(formula: str, by: str, fit: Any, evaluations: int, seconds: float, *, rows: int) -> None:
    """Note the end of a fit, as a warning where it is no optimum."""
    level = logging.INFO if fit.certificate.converged else logging.WARNING
    _LOGGER.log(
        level,
        "%s by %s, %d rows: %s (criterion %.4f, %d evaluations, %.3f s)",
        *(formula, by, rows, fit.certificate.verdict, fit.criterion, evaluations, seconds),
    )
