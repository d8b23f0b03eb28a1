"""The worker of this package: ``python -m benchmarks.structured.ours PROBLEM``."""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from importlib import metadata
from typing import Any

from benchmarks.structured.problems import select

__all__ = ["main"]


def main(name: str) -> None:
    """Load the problem, then fit it once for every line ``fit`` on standard input; see `measure`."""
    import mixedsparse as ms

    warnings.simplefilter("ignore")
    problem = select([name])[0]
    data, parents = problem.load(), None if problem.parents is None else problem.parents()

    def fit() -> dict[str, Any]:
        gc.collect()
        cpu = time.process_time()
        relations = {} if parents is None else {"relations": {"animal": ms.Pedigree(parents)}}
        found = ms.lmer(problem.formula, data, **problem.options, **relations)
        found.bse.to_numpy()
        seconds = time.process_time() - cpu
        criterion = float(found.criterion)
        return {"cpu_seconds": seconds, "evaluations": int(found.optim.nfev), "criterion": criterion}

    python = sys.version.split()[0]
    print(json.dumps({"version": f"{metadata.version('mixedsparse')} (Python {python})", "n": len(data)}), flush=True)
    for line in sys.stdin:
        if line.strip() == "fit":
            print(json.dumps(fit()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
