"""Every figure of bundled models as R's lme4 estimates them, by the script ``lme4_fits.R``."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.problems.bundled import BundledModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Lme4Fit", "RError", "fit_in_r", "read_figures", "write_jobs"]

SCRIPT = Path(__file__).with_name("lme4_fits.R")
CONTRASTS = {"sum": "contr.sum", "helmert": "contr.helmert", "treatment": "contr.treatment", "poly": "contr.poly"}


class RError(RuntimeError):
    """R or lme4 is missing or failed; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Lme4Fit:
    """Figures of one fit; `error` is R's message where there are none.

    Attributes
    ----------
    numbers : dict of str to ndarray
        ``criterion``, ``AIC``, ``BIC``, ``sigma`` (one number each), ``beta``, ``SE``, ``theta``, ``width`` and
        ``levels`` (per term, in lme4's order), ``fitted``.
    by_group : dict of str to dict of str to ndarray
        ``varcorr`` and ``sdcor`` by group, of variances, covariances and correlations.
    effects : dict of str to list
        ``modes`` and ``conditional SD``: (group, labels of levels, values), one entry per effect in lme4's order.
    """

    numbers: dict[str, np.ndarray]
    by_group: dict[str, dict[str, np.ndarray]]
    effects: dict[str, list[tuple[str, list[str], np.ndarray]]]
    error: str | None = None


def fit_in_r(models: Sequence[BundledModel], folder: Path, say: Callable[[str], None]) -> tuple[list[Lme4Fit], str]:
    """Fit `models` in one R process; return the fits and the versions of lme4 and R.

    Raises
    ------
    RError
        There is no Rscript, no lme4, or the script failed.
    """
    if shutil.which("Rscript") is None:
        raise RError("Rscript is not on the path. Install R with lme4 (Debian: apt-get install r-cran-lme4).")
    write_jobs(models, folder)
    # Labels that are plain strings are sorted as Python sorts them.
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LC_COLLATE": "C"}
    command = ["Rscript", "--vanilla", str(SCRIPT), str(folder)]
    done = ""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            done = line.strip()
            say(f"lme4: {done}")
        errors = process.stderr.read().strip()
    if process.returncode != 0:
        raise RError(
            f"R failed: {errors}\nIf lme4 is missing: apt-get install r-cran-lme4, or install.packages('lme4')."
        )
    return [read_figures(folder / f"{model.name}.out.csv") for model in models], done


def write_jobs(models: Sequence[BundledModel], folder: Path) -> None:
    """Write the table of models, and per model its data and the levels and coding of its factors."""
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "formula", "reml", "weights", "offset"])
        for model in models:
            extra = [model.arguments.get(key) or "" for key in ("weights", "offset")]
            writer.writerow([model.name, model.r_formula, model.reml, *extra])
            data = model.loader()
            data.to_csv(folder / f"{model.name}.csv", index=False, na_rep="NA")
            _write_levels(model, data, folder / f"{model.name}.levels.csv")


def _write_levels(model: BundledModel, data: pd.DataFrame, path: Path) -> None:
    """Levels in order, with R's name of the coding that this package uses: by treatment unless told otherwise."""
    chosen = model.arguments.get("contrasts") or {}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["column", "level", "contrast"])
        for column in data.select_dtypes("category"):
            contrast = CONTRASTS[chosen.get(column, "treatment")]
            used = data[column].cat.remove_unused_categories().cat.categories
            writer.writerows([column, level, contrast] for level in used)


def read_figures(path: Path) -> Lme4Fit:
    """Read what the script wrote about one model."""
    numbers: dict[str, list[float]] = {}
    by_group: dict[str, dict[str, list[float]]] = {"varcorr": {}, "sdcor": {}}
    effects: dict[str, dict[str, tuple[list[str], list[float]]]] = {"modes": {}, "conditional SD": {}}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            figure, value = row["figure"], float(row["value"])
            if figure == "error":
                return Lme4Fit({}, {}, {}, error=row["key"].strip())
            if figure in by_group:
                by_group[figure].setdefault(row["key"], []).append(value)
            elif figure in effects:
                labels, values = effects[figure].setdefault(row["group"], ([], []))
                labels.append(row["key"])
                values.append(value)
            else:
                numbers.setdefault(figure, []).append(value)
    return Lme4Fit(
        {figure: np.array(values) for figure, values in numbers.items()},
        {f: {group: np.array(v) for group, v in groups.items()} for f, groups in by_group.items()},
        {
            f: [(name.partition("|")[0], labels, np.array(values)) for name, (labels, values) in found.items()]
            for f, found in effects.items()
        },
    )
