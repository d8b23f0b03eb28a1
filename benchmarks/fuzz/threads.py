"""One check of threads or processes: ``python -m benchmarks.fuzz.threads CHECK FOLDER``; fails by an assertion."""

from __future__ import annotations

import multiprocessing
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import threadpoolctl

import mixedsparse as ms

WORKERS = 8
MODELS = [
    ("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    ("kb07", "RTtrunc ~ S * P * C + (1 + P | item) + (1 | subj)"),
    ("InstEval", "y ~ 1 + (1 | s) + (1 | d) + (1 | dept)"),
    ("Pastes", "strength ~ 1 + (1 | batch/cask)"),
]


def fit(number: int) -> tuple[float, bytes]:
    """Criterion and standard errors of one of the models."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name, formula = MODELS[number % len(MODELS)]
        found = ms.lmer(formula, ms.datasets.load(name))
        return found.criterion, found.bse.to_numpy().round(9).tobytes()


def _close(found: list[tuple[float, bytes]], expected: list[tuple[float, bytes]]) -> None:
    for k, (criterion, _) in enumerate(found):
        assert abs(criterion - expected[k % len(MODELS)][0]) < 1e-6, f"{MODELS[k % len(MODELS)]}: {criterion}"


def same_numbers() -> None:
    """Fits from many threads at once."""
    expected = [fit(k) for k in range(len(MODELS))]
    with ThreadPoolExecutor(WORKERS) as pool:
        _close(list(pool.map(fit, range(4 * WORKERS))), expected)


def threads_restored() -> None:
    """Thread counts of every BLAS are what they were."""
    fit(0)
    before = [(pool["filepath"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()]
    for _ in range(3):
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(fit, [0, 1, 3] * WORKERS))
    after = dict((pool["filepath"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info())
    changed = [(path, count, after[path]) for path, count in before if after[path] != count]
    assert not changed, str(changed)


def one_result() -> None:
    """Lazy parts of one result asked for by many threads at once."""
    name, formula = MODELS[1]
    data = ms.datasets.load(name)
    calls: list[Callable[[ms.MixedResults], object]] = [
        lambda found: found.coef_table().to_string(),
        lambda found: str(found.random_effects),
        lambda found: str(found.random_effects_cov),
        lambda found: found.anova().to_string(),
        lambda found: found.leverage().to_numpy().round(9).tolist(),
        lambda found: found.predict(data.head(20), interval="prediction").to_string(),
        lambda found: str(found.summary()),
    ]
    alone = ms.lmer(formula, data)
    expected = [call(alone) for call in calls]
    together = ms.lmer(formula, data)
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda k: calls[k % len(calls)](together), range(8 * len(calls))))
    wrong = [k for k, value in enumerate(found) if value != expected[k % len(calls)]]
    assert not wrong, f"{len(wrong)} of {len(found)} differ"


def _pool(method: str) -> None:
    expected = [fit(k) for k in range(len(MODELS))]
    ms.lmer("y ~ 1 + (1 + service | s) + (1 | d)", ms.datasets.load("InstEval"))  # a size that runs compiled kernels
    with multiprocessing.get_context(method).Pool(2) as pool:
        _close(pool.map_async(fit, range(2 * len(MODELS))).get(100), expected)


CHECKS = {
    "same numbers": same_numbers,
    "threads restored": threads_restored,
    "one result, many threads": one_result,
    "fork": lambda: _pool("fork"),
    "spawn": lambda: _pool("spawn"),
}

if __name__ == "__main__":
    np.seterr(all="ignore")
    CHECKS[sys.argv[1]]()
