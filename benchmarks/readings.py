"""Large Parquet files, read and fitted by this tree and by those of other commits: ``python -m benchmarks.readings``.

    python -m benchmarks.readings --rows 20000000                            # crossed, covariate, factor of 50, slopes
    python -m benchmarks.readings --rows 20000000 --tree ../before           # the same by a checkout of another commit
    python -m benchmarks.readings --rows 100000000 --models few --bar 60     # status 1 if it takes longer

The file is made once, in a temporary directory. Every call is a process of its own, which loads and compiles on a small
file first; memory is the highest of the process, with DuckDB in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["MODELS", "main", "measure", "write"]

MODELS = {
    "crossed": "y ~ x + (1 | subj) + (1 | item)",
    "covariate": "y ~ x + (1 | subj)",
    "factor of 50": "y ~ x + f50 + (1 | subj)",
    "slopes": "y ~ x + (x | subj)",
    "few": "y ~ x + (1 | site)",
}
_LARGE = ("crossed", "covariate", "factor of 50", "slopes")
_SMALL_ROWS = 5_000
# Rows for each subject, and for each item.
_PER_SUBJECT, _PER_ITEM = 200, 4_000
_SITES = 100
_CHILD = """
import json, resource, sys, time, warnings
import mixedsparse as ms
warnings.simplefilter("ignore")
formula, small, path = sys.argv[1:]
ms.lmer(formula, small)
wall, cpu = time.perf_counter(), time.process_time()
model = ms.LinearMixedModel(formula, path)
read = time.perf_counter() - wall
fit = model.fit()
found = {"read": read, "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
found |= {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "llf": fit.llf}
print(json.dumps(found))
"""


def write(path: Path, rows: int) -> None:
    """Write `rows` rows to a Parquet file: subjects crossed with items, a covariate, a factor of 50, 100 sites."""
    import duckdb

    subjects, items = max(20, rows // _PER_SUBJECT), max(10, rows // _PER_ITEM)
    connection = duckdb.connect()
    connection.execute(f"""
        copy (
            select ((hash(i * 7 + 1) % 1000000) / 1e6 - 0.5) * 4 + (hash(s + 11) % 1000) / 500.0
                 + (hash(t + 77) % 1000) / 1000.0 + (hash(g + 5) % 1000) / 1000.0 + 0.3 * x + 0.1 * f as y,
                 x, 'f' || f as f50, s::int as subj, t::int as item, g::int as site
            from (
                select i, hash(i) % {subjects} as s, hash(i * 13 + 5) % {items} as t, hash(i * 29 + 9) % 50 as f,
                       hash(i * 31 + 2) % {_SITES} as g, ((hash(i * 17 + 3) % 100000) / 1e5 - 0.5) * 3.4 as x
                from range({rows}) as r(i)
            )
        ) to '{path}' (format parquet, row_group_size 500000)
    """)


def measure(tree: Path, formula: str, small: Path, path: Path) -> dict[str, float]:
    """Fit `formula` to the file in a new process that imports the package of `tree`: seconds, megabytes and log L.

    Raises
    ------
    RuntimeError
        The call failed; its last line is the message.
    """
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, "-c", _CHILD, formula, str(small), str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"ended with status {done.returncode}").splitlines()[-1])
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per model and tree; 1 if a call failed, or took longer than the bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=_LARGE)
    parser.add_argument("--tree", type=Path, nargs="*", default=[], help="checkouts of other commits")
    parser.add_argument("--bar", type=float, help="seconds of a whole call by the files as they are")
    options = parser.parse_args(arguments)
    here, status = Path(__file__).resolve().parents[1], 0
    with tempfile.TemporaryDirectory(prefix="mixedsparse-") as folder:
        small, path = Path(folder) / "small.parquet", Path(folder) / "rows.parquet"
        write(small, _SMALL_ROWS)
        write(path, options.rows)
        print(f"{options.rows:,} rows, {path.stat().st_size / 2**20:,.0f} MB")
        for name in options.models:
            for tree in (*options.tree, here):
                try:
                    found = measure(tree.resolve(), MODELS[name], small, path)
                except RuntimeError as err:
                    print(f"{name:<14}{tree.name:<14}{err}")
                    status = 1
                    continue
                print(
                    f"{name:<14}{tree.name:<14}{found['seconds']:8.1f} s ({found['read']:.1f} s of it reading), "
                    f"{found['cpu_seconds']:.1f} s of processors, {found['peak_mb']:,.0f} MB, log L {found['llf']:.4f}",
                    flush=True,
                )
                if tree is here and options.bar is not None and found["seconds"] > options.bar:
                    status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
