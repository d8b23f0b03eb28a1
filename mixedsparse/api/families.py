"""Response families of generalized models, each made with its link: ``ms.families.Binomial("probit")``."""

from __future__ import annotations

from mixedsparse.core.likelihood.family import (
    Binomial,
    Gamma,
    InverseGaussian,
    NegativeBinomial,
    NegativeBinomial1,
    Poisson,
)

__all__ = ["Binomial", "Gamma", "InverseGaussian", "NegativeBinomial", "NegativeBinomial1", "Poisson"]
