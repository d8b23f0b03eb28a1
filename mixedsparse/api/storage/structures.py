"""Records of covariance structures; see `mixedsparse.api.storage.records`."""

from __future__ import annotations

from collections.abc import Mapping

from mixedsparse.api.storage.record import Record, record
from mixedsparse.core.structures.autoregressive import Autoregressive
from mixedsparse.core.structures.compound import CompoundSymmetry, EqualCompoundSymmetry
from mixedsparse.core.structures.diagonal import Diagonal
from mixedsparse.core.structures.kinds import AR1, CS, RR, US, Diag, Toep
from mixedsparse.core.structures.reduced_rank import ReducedRank
from mixedsparse.core.structures.toeplitz import Toeplitz
from mixedsparse.core.structures.unstructured import Unstructured

__all__ = ["RECORDS"]

RECORDS: Mapping[str, Record] = {
    # What a formula asks for.
    "us": record(US, ""),
    "diag": record(Diag, "hom"),
    "cs": record(CS, "hom"),
    "ar1": record(AR1, "hom times"),
    "toep": record(Toep, "hom times"),
    "rr": record(RR, "d"),
    # Structures of so many effects.
    "unstructured": record(Unstructured, "k"),
    "diagonal": record(Diagonal, "k hom"),
    "compound symmetry": record(CompoundSymmetry, "k hom"),
    "equal compound symmetry": record(EqualCompoundSymmetry, "k"),
    "autoregressive": record(Autoregressive, "k hom times"),
    "toeplitz": record(Toeplitz, "k hom places"),
    "reduced rank": record(ReducedRank, "k rank"),
}
