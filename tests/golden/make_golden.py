"""Condense reference fits made with R (lme4) into golden files for the tests.

    python -m tests.golden.make_golden REFERENCE_DIR      (from the top of the repository)

REFERENCE_DIR holds ``fits/<case>.json`` (one fit each, with everything R can say about it), ``data/<name>.csv[.gz]``
with ``data/<name>.json``, and ``hard/`` with ``cases.json`` and its data. Every linear mixed model becomes
``tests/golden/<case>.json`` with what the tests compare; its data go to ``tests/data/`` unless a bundled data set has
all their columns. The hard models go to ``tests/data/hard/``, with the columns that their formulas use. Numbers are
copied with all their digits.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

import mixedsparse.datasets as bundled
from tests.golden_cases import BUNDLED_AS, DATA, GOLDEN, HARD

RANEF_LEVELS = 6
FITTED_ROWS = 6


def condense(fit_file: dict[str, Any]) -> dict[str, Any]:
    """Keep what the tests compare, one entry per line of the golden file."""
    fit, optimizer = fit_file["fit"], fit_file["optimizer"]
    vcov = fit["vcov_beta"]["values"]
    versions = fit_file["versions"]
    copied = ("dataset", "formula", "weights", "offset", "contrasts", "subset", "notes", "random_terms", "criterion_at")
    return {
        "case": fit_file["case"],
        "program": f"R {versions['R']}, lme4 {versions['lme4']}",
        **{key: fit_file[key] for key in copied},
        "reml": fit_file["REML"],
        "rescaled": bool(fit_file["derived"]),
        "nobs": fit["nobs"],
        "n_rows_data": fit["n_rows_data"],
        "df": fit["df"],
        "criterion": fit["criterion"]["value"],
        "criterion_uncertainty": optimizer["criterion_uncertainty"],
        "theta": fit["theta"]["values"],
        "theta_identifiable": optimizer.get("theta_identifiable", True) is not False,
        "singular": fit["is_singular_tol1e4"],
        "sigma": fit["sigma"],
        "beta_names": fit["beta"]["names"],
        "beta": fit["beta"]["values"],
        "se": [vcov[i][i] ** 0.5 for i in range(len(vcov))],
        "dropped_columns": fit["dropped_columns"],
        "varcorr": [{key: term[key] for key in ("group", "names", "cov")} for term in fit["varcorr"]],
        "AIC": fit["AIC"],
        "BIC": fit["BIC"],
        "fitted_head": fit_file["fitted"]["head"][:FITTED_ROWS],
        "resid_sumsq": fit_file["residuals"]["sumsq"],
        "ranef": {group: condense_ranef(block) for group, block in fit_file["ranef"].items()},
    }


def condense_ranef(block: dict[str, Any]) -> dict[str, Any]:
    """Keep the first levels of one grouping factor."""
    columns = {key: block[key] for key in ("columns", "n_levels")}
    return columns | {key: block[key][:RANEF_LEVELS] for key in ("levels", "values", "condsd") if block.get(key)}


def copy_data(reference: Path, dataset: str) -> None:
    """Copy a data set with a short description of its columns, unless a bundled one serves."""
    description = json.loads((reference / "data" / f"{dataset}.json").read_text())
    columns = [column["name"] for column in description["columns"]]
    name = BUNDLED_AS.get(dataset, dataset)
    if name in bundled.names() and list(bundled.load(name).columns) == columns:
        return
    shutil.copyfile(reference / "data" / description["file"], DATA / description["file"])
    kept = {key: description[key] for key in ("dataset", "file", "source")}
    kept["columns"] = [{k: c[k] for k in ("name", "type", "levels") if k in c} for c in description["columns"]]
    write(DATA / f"{dataset}.json", kept)


def copy_hard(reference: Path) -> None:
    """Copy the hard models: the list as it is but for the file names, the data cut to the columns in use."""
    content = json.loads((reference / "hard" / "cases.json").read_text())
    used: dict[str, str] = {}
    for case in content["cases"]:
        name = case["data"].removesuffix(".csv.gz")
        case["data"] = name if name in bundled.names() else case["data"]
        used[case["data"]] = " ".join([used.get(case["data"], ""), case["formula"], *case.get("derive", {}).values()])
    for file, text in used.items():
        if file not in bundled.names():
            frame = pd.read_csv(reference / "hard" / file, dtype=str, keep_default_na=False)
            kept = frame[[column for column in frame if re.search(rf"\b{column}\b", text)]]
            # No time of writing in the header: the same data give the same bytes.
            (HARD / file).write_bytes(gzip.compress(kept.to_csv(index=False, lineterminator="\n").encode(), mtime=0))
    (HARD / "cases.json").write_text(json.dumps(content, indent=1) + "\n")


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with one line per entry, so that a change shows in a diff."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    path.write_text("{\n" + lines + "\n}\n")


def main(reference: Path) -> None:
    fits = [json.loads(path.read_text()) for path in sorted((reference / "fits").glob("*.json"))]
    linear = [fit for fit in fits if fit["kind"] == "lmm"]
    for fit in linear:
        write(GOLDEN / f"{fit['case']}.json", condense(fit))
    for dataset in sorted({fit["dataset"] for fit in linear}):
        copy_data(reference, dataset)
    copy_hard(reference)
    print(f"{len(linear)} golden files written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
