"""One injected fault: ``python -m benchmarks.fuzz.faults CHECK FOLDER REPEAT``; fails by an assertion."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mixedsparse as ms

SAVER = """
import sys, mixedsparse as ms
fit = ms.load(sys.argv[1])
print("ready", flush=True)
while True:
    fit.save(sys.argv[2])
"""


def crossed(n: int, first: int, second: int, seed: int = 0) -> pd.DataFrame:
    """Ratings of two crossed factors."""
    rng = np.random.default_rng(seed)
    g, h = rng.integers(0, first, n), rng.integers(0, second, n)
    x = rng.normal(size=n)
    y = rng.normal(size=first)[g] + rng.normal(size=second)[h] + 0.3 * x + rng.normal(size=n)
    return pd.DataFrame({"g": g, "h": h, "x": x, "y": y})


def sleepstudy() -> ms.MixedResults:
    """Return a small fit."""
    return ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def killed_while_saving(folder: Path, repeat: int) -> None:
    """SIGKILL at a random moment of many saves."""
    home = folder / f"kill{repeat}"
    home.mkdir()
    source, target = home / "source.fit", home / "target.fit"
    fit = sleepstudy()
    fit.save(source)
    fit.save(target)
    rng = np.random.default_rng(repeat)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(source), str(target)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.communicate()
        assert ms.load(target).criterion == fit.criterion
    fit.save(target)
    left = sorted(path.name for path in home.iterdir())
    assert left == ["source.fit", "target.fit"], f"left over: {left}"


def full_disk(folder: Path, repeat: int) -> None:
    """A file may not grow beyond a few kilobytes, as on a full disk."""
    target = folder / f"full{repeat}.fit"
    fit = sleepstudy()
    fit.save(target)
    before = target.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * (1 + repeat), resource.RLIM_INFINITY))
    try:
        fit.save(target)
    except ms.MixedSparseError:
        pass
    else:
        raise AssertionError("saved on a full disk")
    assert target.read_bytes() == before, "the old file is gone"


def _interrupt(seconds: float) -> None:
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()


def interrupted_fit(folder: Path, repeat: int) -> None:
    """Ctrl-C while a fit runs returns what there is, or is a KeyboardInterrupt before there is anything."""
    model = ms.LinearMixedModel("y ~ x + (1 | g) + (1 | h)", crossed(200_000, 4_000, 3_000))
    _interrupt(0.3 + repeat)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found: Any = model.fit(method="direct")
        except KeyboardInterrupt:
            found = None
    if found is not None and not found.converged:
        assert any(issubclass(w.category, ms.ConvergenceWarning) for w in caught), "no warning"
        assert np.isfinite(found.params).all()
    time.sleep(0.5 + repeat)
    assert model.fit(method="direct").converged


def interrupted_bootstrap(folder: Path, repeat: int) -> None:
    """Ctrl-C keeps the replicates done, also with several processes."""
    fit = ms.lmer("y ~ x + (1 | g) + (1 | h)", crossed(20_000, 400, 300))
    jobs = 1 + repeat % 2
    _interrupt(3.0 if jobs == 1 else 15.0)  # other processes take their time to start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fit.bootstrap(20_000, seed=1, n_jobs=jobs)
    assert len(found.table) > 0


def replaced_file(folder: Path, repeat: int) -> None:
    """Another file of the same name and as many rows appears while the first is read."""
    path, other = folder / f"data{repeat}.parquet", folder / f"other{repeat}.parquet"
    crossed(400_000, 500, 300, seed=1).to_parquet(path)
    crossed(400_000, 500, 300, seed=2).to_parquet(other)
    formula = "y ~ x + (1 | g) + (1 | h)"
    right = [ms.lmer(formula, str(file)).criterion for file in (path, other)]
    threading.Timer(0.05 * (1 + repeat), lambda: os.replace(other, path)).start()
    try:
        found = ms.lmer(formula, str(path)).criterion
    except ms.MixedSparseError:
        return
    assert min(abs(found - criterion) for criterion in right) < 1e-5, "numbers of two files"


def closed_connection(folder: Path, repeat: int) -> None:
    """The relation's connection is closed before the model is made."""
    import duckdb

    connection = duckdb.connect()
    connection.register("data", crossed(5_000, 50, 30))
    relation = connection.sql("select * from data")
    connection.close()
    try:
        ms.lmer("y ~ x + (1 | g) + (1 | h)", relation)
    except ms.MixedSparseError:
        return
    raise AssertionError("read from a closed connection")


def no_memory(folder: Path, repeat: int) -> None:
    """The address space ends while a fit runs; afterwards, with room again, the fit is right.

    The direct method is asked for: the other one would be chosen where there is no room, and be within its own error.
    """
    data = crossed(60_000, 3_000, 2_000)
    formula = "y ~ x + (x | g) + (1 | h)"
    right = ms.lmer(formula, data, method="direct").criterion
    model = ms.LinearMixedModel(formula, data)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (repeat + 1) * 2**25, hard))
    try:
        model.fit(method="direct")
    except (ms.MixedSparseError, MemoryError):
        pass
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert abs(model.fit(method="direct").criterion - right) < 1e-6


CHECKS = {
    "killed while saving": killed_while_saving,
    "full disk": full_disk,
    "Ctrl-C in a fit": interrupted_fit,
    "Ctrl-C in a bootstrap": interrupted_bootstrap,
    "file replaced while read": replaced_file,
    "connection closed": closed_connection,
    "no memory": no_memory,
}

if __name__ == "__main__":
    CHECKS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
