"""The links by their names."""

from __future__ import annotations

from mixedsparse.core.likelihood.family.link import Link
from mixedsparse.core.likelihood.family.positive_links import Identity, Inverse, InverseSquare, Log, Sqrt
from mixedsparse.core.likelihood.family.probability_links import Cloglog, Logit, Probit

__all__ = ["LINKS"]

LINKS: dict[str, type[Link]] = {
    link.name: link for link in (Logit, Probit, Cloglog, Log, Sqrt, Identity, Inverse, InverseSquare)
}
