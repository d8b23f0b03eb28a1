"""Known relationships among levels in a file."""

from __future__ import annotations

from typing import Any

from scipy import sparse

from mixedsparse.api.storage.record import Fields, Record
from mixedsparse.core.problem.pedigree import PedigreeRelationship
from mixedsparse.core.problem.relationship import Relationship

__all__ = ["PEDIGREE", "RELATIONSHIP"]


def _parts(known: Relationship) -> Fields:
    P: Any = known.precision
    return {"numbers": P.data, "indices": P.indices, "indptr": P.indptr}


def _relationship(fields: Fields) -> Relationship:
    size = len(fields["indptr"]) - 1
    P = sparse.csr_matrix((fields["numbers"], fields["indices"], fields["indptr"]), shape=(size, size))
    return Relationship(P, fields["covariance"], fields["name"])


RELATIONSHIP = Record(Relationship, ("covariance", "name"), more=_parts, build=_relationship)
PEDIGREE = Record(PedigreeRelationship, ("sire", "dam", "F", "name"))
