"""Covariances of the effects of terms made from arrays: ``ms.RandomTerm(..., covariance=ms.cov.AR1(hom=False))``.

A structure of one's own is any object with the methods of `mixedsparse.core.structures.interface.Structure`.
"""

from __future__ import annotations

from mixedsparse.core.structures.kinds import AR1, CS, RR, US, Diag, Toep

__all__ = ["AR1", "CS", "RR", "US", "Diag", "Toep"]
