"""Small p-values in print."""

from __future__ import annotations

__all__ = ["p_value"]


def p_value(p: float) -> str:
    """Four decimals, or ``<1e-4``."""
    return "<1e-4" if p < 1e-4 else f"{p:.4f}"
