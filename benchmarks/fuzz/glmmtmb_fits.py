"""What glmmTMB reaches on the random generalized models: made by R once, stored, and read without R."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz.fits_by_r import fit_by_r
from benchmarks.fuzz.generalized_designs import RandomGeneralized
from benchmarks.shared.records import RESULTS, read_rows

__all__ = ["STORED", "GlmmtmbFit", "make", "stored"]

STORED = RESULTS / "fuzz_glmmtmb.csv"
SCRIPT = Path(__file__).with_name("glmmtmb_fits.R")


@dataclass(frozen=True)
class GlmmtmbFit:
    """The best of two fits of one model.

    Parameters
    ----------
    number, checksum : int
        Of the `RandomGeneralized`, and of the data that R was given.
    lowest : float
        -2 log-likelihood that glmmTMB reports; not finite where it failed.
    positive : bool
        Whether its Hessian is positive definite.
    theta, beta : str
        Where that was reached, terms in the order of both packages.
    dispersion : float
        Size or shape; not finite without one.
    """

    number: int
    checksum: int
    lowest: float
    positive: bool
    theta: str
    beta: str
    dispersion: float


def stored(path: Path = STORED) -> dict[int, GlmmtmbFit]:
    """Read the stored fits: number -> fit."""
    return {row.number: row for row in read_rows(path, GlmmtmbFit)} if path.exists() else {}


def make(models: Sequence[RandomGeneralized], folder: Path, path: Path = STORED) -> None:
    """Fit `models` by glmmTMB and store what it reaches.

    Raises
    ------
    RuntimeError
        R or glmmTMB is missing, or failed.
    """
    jobs = [(model, {"family": model.family, "link": model.link, "offset": model.offset}) for model in models]
    fit_by_r(jobs, SCRIPT, "glmmTMB", GlmmtmbFit, folder, path)
