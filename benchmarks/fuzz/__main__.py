"""Random models, bad inputs, damaged files, threads and faults: ``python -m benchmarks.fuzz``.

Prints everything that does not hold, writes the counts into a CSV file and the table of docs/benchmarks.md; the exit
status is 0 if all holds. What lme4 and glmmTMB reach on the random models is stored, so that R is not needed;
``--lme4`` and ``--glmmtmb`` make it anew.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from benchmarks.fuzz import glmmtmb_fits, lme4_fits
from benchmarks.fuzz.attempt import Finding
from benchmarks.fuzz.designs import random_model
from benchmarks.fuzz.files import check_files
from benchmarks.fuzz.generalized_designs import random_generalized
from benchmarks.fuzz.generalized_models import check_generalized
from benchmarks.fuzz.inputs import check_inputs
from benchmarks.fuzz.models import check_models
from benchmarks.fuzz.processes import check_processes
from benchmarks.fuzz.report import BEGIN, END, OUT, FuzzRow, count, render
from benchmarks.shared.records import PAGE, read_rows, write_rows
from benchmarks.table import replace_between_markers

__all__ = ["main"]

SEED = 2026
MODELS = 300
KINDS = ("models", "generalized", "inputs", "files", "processes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, print, count."""
    options = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mixedsparse-fuzz-") as name:
        folder = Path(name)
        models = [random_model(options.seed, number) for number in range(options.models)]
        if options.lme4:
            lme4_fits.make(models, folder)
        generalized = [random_generalized(options.seed, number) for number in range(options.models)]
        if options.glmmtmb:
            glmmtmb_fits.make(generalized, folder)
        findings = []
        for found in _findings(options.kinds, models, generalized, folder):
            findings.append(found)
            if found.fault:
                print(f"{found.kind}, {found.check}: {found.case}: {found.fault}", flush=True)
    rows = count(findings)
    for row in rows:
        print(f"{row.kind:24} {row.check:26} {row.held:6,} of {row.tried:6,} held: {row.asked}")
    if options.seed == SEED and options.models == MODELS:
        _publish(rows, options.out, options.page)
    return 0 if all(row.held == row.tried for row in rows) else 1


def _findings(kinds: Sequence[str], models: Sequence, generalized: Sequence, folder: Path) -> Iterator[Finding]:
    theirs = lme4_fits.stored()
    parts = {
        "models": lambda: check_models(models, theirs),
        "generalized": lambda: check_generalized(generalized, glmmtmb_fits.stored()),
        "inputs": check_inputs,
        "files": lambda: check_files(folder),
        "processes": lambda: check_processes(folder),
    }
    return chain.from_iterable(parts[kind]() for kind in kinds)


def _publish(rows: Sequence[FuzzRow], out: Path, page: Path) -> None:
    """Replace the rows of the kinds that were tried, in the file and on the page."""
    tried = {row.kind for row in rows}
    kept = [row for row in (read_rows(out, FuzzRow) if out.exists() else []) if row.kind not in tried]
    order = {kind: k for k, kind in enumerate(dict.fromkeys(row.kind for row in (*kept, *rows)))}
    found = sorted((*kept, *rows), key=lambda row: order[row.kind])
    write_rows(found, out)
    before = page.read_text(encoding="utf-8")
    page.write_text(replace_between_markers(before, render(found), BEGIN, END), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="what to try (default: all)")
    parser.add_argument("--models", type=int, default=MODELS, help=f"random models (default {MODELS})")
    parser.add_argument(
        "--seed", type=int, default=SEED, help=f"of the random models (default {SEED}; others: no table)"
    )
    parser.add_argument("--lme4", action="store_true", help="fit the random models by lme4 anew, which needs R")
    parser.add_argument("--glmmtmb", action="store_true", help="the same for the generalized ones by glmmTMB")
    parser.add_argument("--out", type=Path, default=OUT, help="CSV file to write")
    parser.add_argument("--page", type=Path, default=PAGE, help="page with the table")
    return parser


if __name__ == "__main__":
    sys.exit(main())
