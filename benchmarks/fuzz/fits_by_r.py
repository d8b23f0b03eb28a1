"""Fits of random models by an R script: one file per model, a list of jobs, and a table that comes back."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import pandas as pd

from benchmarks.shared.records import read_rows, write_rows

__all__ = ["fit_by_r"]

T = TypeVar("T")


class RandomFit(Protocol):
    """What a script is given of a model: its number, data and their checksum, and its formula."""

    @property
    def number(self) -> int:
        """Number of the model."""

    @property
    def checksum(self) -> int:
        """Changes with the data."""

    @property
    def formula(self) -> str:
        """The same in R and here."""

    @property
    def data(self) -> pd.DataFrame:
        """Rows."""


def fit_by_r(
    models: Sequence[tuple[RandomFit, Mapping[str, str | None]]],
    script: Path,
    package: str,
    kind: type[T],
    folder: Path,
    path: Path,
) -> None:
    """Fit `models` by `script` and store what it reaches.

    Parameters
    ----------
    models : sequence of pairs
        A model, and the further columns of its job.
    script : Path
        Reads ``jobs.csv`` and the data in `folder`, writes ``fits.csv`` there.
    package : str
        That the script needs.
    kind : type
        Of the rows of ``fits.csv``.
    folder, path : Path
        For the script; for the stored rows.

    Raises
    ------
    RuntimeError
        R or the package is missing, or failed.
    """
    if shutil.which("Rscript") is None:
        debian = f"apt-get install r-cran-{package.lower()}"
        raise RuntimeError(f"Rscript is not on the path. Install R with {package} (Debian: {debian}).")
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "checksum", "formula", *(models[0][1] if models else ())])
        for model, more in models:
            writer.writerow([model.number, model.checksum, model.formula, *(value or "" for value in more.values())])
            model.data.to_csv(folder / f"{model.number}.csv", index=False, float_format="%.17g")
    done = subprocess.run(["Rscript", "--vanilla", str(script), str(folder)], text=True, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"R failed: {done.stderr.strip()}")
    write_rows(read_rows(folder / "fits.csv", kind), path)
