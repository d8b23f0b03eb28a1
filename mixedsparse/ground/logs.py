"""The logger of this package, ``logging.getLogger("mixedsparse")``: silent unless a program listens to it."""

from __future__ import annotations

import logging
from typing import Any

__all__ = ["log_fit"]

_LOGGER = logging.getLogger("mixedsparse")
_LOGGER.addHandler(logging.NullHandler())


def log_fit(formula: str, method: str, rows: int, fit: Any) -> None:
    """Note the end of a fit, as a warning where it is no optimum."""
    certificate, search = fit.certificate, fit.search
    level = logging.INFO if certificate.converged else logging.WARNING
    if _LOGGER.isEnabledFor(level):
        _LOGGER.log(
            level,
            "%s by %s, %d rows: %s (criterion %.4f, %d evaluations, %.3f s)",
            *(formula, method, rows, certificate.verdict, fit.criterion, search.nfev, search.seconds),
        )
