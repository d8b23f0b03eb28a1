"""Generalized linear mixed models as users call and get them."""

from __future__ import annotations

from mixedsparse.api.generalized.model import GeneralizedLinearMixedModel, glmer
from mixedsparse.api.generalized.results import GeneralizedResults

__all__ = ["GeneralizedLinearMixedModel", "GeneralizedResults", "glmer"]
