"""What lme4's three optimisers reach on the random models: made by R once, stored, and read without R."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.designs import RandomModel
from benchmarks.fuzz.fits_by_r import fit_by_r
from benchmarks.shared.records import RESULTS, read_rows

__all__ = ["STORED", "Lme4Criterion", "make", "stored"]

STORED = RESULTS / "fuzz_lme4.csv"
SCRIPT = Path(__file__).with_name("lme4_fits.R")


@dataclass(frozen=True)
class Lme4Criterion:
    """Criteria of one model by one criterion.

    Parameters
    ----------
    number, checksum : int
        Of the `RandomModel`, and of the data that R was given.
    reml : bool
    lowest, highest : float
        Of lme4's optimisers; not finite where all of them failed.
    theta : str
        Where the lowest was reached, in the order of both packages; empty where it was not recorded.
    """

    number: int
    checksum: int
    reml: bool
    lowest: float
    highest: float
    theta: str = ""


def stored(path: Path = STORED) -> dict[tuple[int, bool], Lme4Criterion]:
    """Read the stored criteria: (number, reml) -> criteria."""
    return {(row.number, row.reml): row for row in read_rows(path, Lme4Criterion)} if path.exists() else {}


def make(models: Sequence[RandomModel], folder: Path, path: Path = STORED) -> None:
    """Fit `models` by lme4 and store what it reaches.

    Raises
    ------
    RuntimeError
        R or lme4 is missing, or failed.
    """
    jobs = [(model, {"weights": model.weights, "offset": model.offset}) for model in models]
    fit_by_r(jobs, SCRIPT, "lme4", Lme4Criterion, folder, path)
