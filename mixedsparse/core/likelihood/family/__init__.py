"""Response families of generalized linear mixed models, one class each; the link is chosen when one is made."""

from __future__ import annotations

from mixedsparse.core.likelihood.family.base import DispersionTerms, Family, RowTerms
from mixedsparse.core.likelihood.family.binomial import Binomial
from mixedsparse.core.likelihood.family.counts import Poisson
from mixedsparse.core.likelihood.family.negative_binomial import NegativeBinomial, NegativeBinomial1
from mixedsparse.core.likelihood.family.positive import Gamma, InverseGaussian

__all__ = [
    "FAMILIES",
    "Binomial",
    "DispersionTerms",
    "Family",
    "Gamma",
    "InverseGaussian",
    "NegativeBinomial",
    "NegativeBinomial1",
    "Poisson",
    "RowTerms",
]

FAMILIES: dict[str, type[Family]] = {
    family.name: family for family in (Binomial, Poisson, Gamma, InverseGaussian, NegativeBinomial, NegativeBinomial1)
}
