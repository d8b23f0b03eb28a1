"""Condense what R says about marginal means and indices into one file for the tests.

    python -m tests.inference.golden.make_means REFERENCE_DIR      (from the top of the repository)

REFERENCE_DIR is that of ``tests/golden/make_golden.py``. The blocks of emmeans, lme4's rePCA, performance and cAIC4 are
copied to ``tests/inference/golden/means.json`` with all their digits, case by case.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parent / "means.json"
COPIED = ("emtrends", "joint_tests", "rePCA", "r2_nakagawa", "icc", "cAIC4")
METHODS = ("asymptotic", "satterthwaite", "kenward_roger")
# Columns that follow from the others.
IMPLIED = ("t.ratio", "z.ratio")


def condense(fit_file: dict[str, Any]) -> dict[str, Any]:
    versions = fit_file["versions"]
    kept = {key: fit_file[key] for key in COPIED if fit_file.get(key)}
    kept["emmeans"] = [condense_means(block) for block in fit_file.get("emmeans") or []]
    kept["program"] = ", ".join(
        f"{name} {versions[name]}" for name in ("R", "emmeans", "performance") if name in versions
    )
    return kept


def condense_means(block: dict[str, Any]) -> dict[str, Any]:
    out = {"specs": block["specs"], "at": block.get("at")}
    for method in METHODS:
        if block.get(method):
            found = dict(block[method])
            found["contrasts"] = {name: values for name, values in found["contrasts"].items() if name not in IMPLIED}
            out[method] = found
    return out


def main(reference: Path) -> None:
    files = [json.loads(path.read_text()) for path in sorted((reference / "fits").glob("*.json"))]
    cases = {f["case"]: condense(f) for f in files if f["kind"] == "lmm"}
    lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
