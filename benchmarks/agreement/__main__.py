"""Compare every figure of every bundled model with R's lme4: ``python -m benchmarks.agreement``.

Each model is fitted by both programs, and its figures are compared twice: at each program's own optimum, where a
difference may be the optimiser's, and, as far as no search is involved, at lme4's theta in both. lme4 runs with
tolerances at the limit of its arithmetic. The exit status is 0 if all agree at the same theta to
`comparison.SAME_THETA` and this package's optimum is nowhere the worse one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.agreement.comparison import compare_model
from benchmarks.agreement.lme4_fits import RError, fit_in_r
from benchmarks.agreement.report import details, summary
from benchmarks.problems.bundled import BundledModel, bundled_models

__all__ = ["main"]

# lme4 needs minutes for models with more covariance parameters than this.
MOST_THETA = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--models", nargs="+", metavar="TEXT", help="only models whose name contains one of these")
    parser.add_argument("--all", action="store_true", help=f"also models with more than {MOST_THETA} parameters")
    options = parser.parse_args(arguments)
    models = [m for m in bundled_models() if _chosen(m, options.models) and (options.all or _size(m) <= MOST_THETA)]
    if not models:
        print(f"agreement: no bundled model's name contains any of {options.models}.", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="mixedsparse-agreement-") as folder:
            fits, versions = fit_in_r(models, Path(folder), lambda text: print(text, file=sys.stderr, flush=True))
    except RError as err:
        print(f"agreement: {err}", file=sys.stderr)
        return 2
    found = [compare_model(model, theirs) for model, theirs in zip(models, fits, strict=True)]
    for one in found:
        print(details(one))
    print(summary(found, versions))
    return 0 if all(one.agrees for one in found) else 1


def _chosen(model: BundledModel, texts: Sequence[str] | None) -> bool:
    return texts is None or any(text in model.name for text in texts)


def _size(model: BundledModel) -> int:
    return model.make().problem.n_theta


if __name__ == "__main__":
    sys.exit(main())
