"""Synthetic reaction times in the shape of a lexicon project: many subjects, a list of words for each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.parquet import write_batches

__all__ = ["ITEMS", "ROWS", "SUBJECTS", "trials", "write"]

ROWS, SUBJECTS, ITEMS = 100_000_000, 50_000, 2_000
MEAN, SLOPE = 700.0, -15.0
SDS = {"subject": 80.0, "item": 40.0, "residual": 150.0}
# The share of the item of rank r falls as 1 / (r + 50).
FLAT = 50.0
BATCH_ROWS = 1_000_000


def trials(rows: int, seed: int = 1) -> Iterator[dict[str, np.ndarray]]:
    """Batches of columns ``subject, item, frequency, rt``, subjects in order, the covariate one of the items.

    There are as many subjects and items as make the rows as dense among their pairs as in the full size.
    """
    rng = np.random.default_rng(seed)
    share = math.sqrt(rows / ROWS)
    subjects, items = round(share * SUBJECTS), round(share * ITEMS)
    subject_effect, item_effect = rng.normal(0.0, SDS["subject"], subjects), rng.normal(0.0, SDS["item"], items)
    frequency = rng.normal(3.0, 1.0, items).astype(np.float32)
    popularity = np.cumsum(1.0 / (np.arange(items) + FLAT))
    for start in range(0, rows, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, rows)
        subject = np.arange(start, stop) * subjects // rows
        item = np.searchsorted(popularity, rng.random(stop - start) * popularity[-1], side="right")
        noise = rng.normal(0.0, SDS["residual"], stop - start)
        yield {
            "subject": subject.astype(np.int32),
            "item": item.astype(np.int32),
            "frequency": frequency[item],
            "rt": (MEAN + SLOPE * frequency[item] + subject_effect[subject] + item_effect[item] + noise).astype(
                np.float32
            ),
        }


def write(path: str | Path, rows: int = ROWS, seed: int = 1) -> int:
    """Write the file; return the number of rows."""
    return write_batches(path, trials(rows, seed))
