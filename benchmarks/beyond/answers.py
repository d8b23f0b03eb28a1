"""Synthetic answers in the shape of a learning platform: many persons, many questions, both too many for a factor."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.shared.parquet import write_batches

__all__ = ["PERSONS", "QUESTIONS", "ROWS", "answers", "write"]

ROWS, PERSONS, QUESTIONS = 5_000_000, 200_000, 60_000
MEAN, SLOPE = 0.4, 0.3
SDS = {"person": 1.0, "question": 0.8}
BATCH_ROWS = 1_000_000


def answers(rows: int, seed: int = 1) -> Iterator[dict[str, np.ndarray]]:
    """Batches of columns ``person, question, practice, right``: persons and questions that meet at random.

    There are as many of both as leave the rows per level as they are in the full size.
    """
    rng = np.random.default_rng(seed)
    persons, questions = (max(2, math.ceil(rows * count / ROWS)) for count in (PERSONS, QUESTIONS))
    person_effect = rng.normal(0.0, SDS["person"], persons)
    question_effect = rng.normal(0.0, SDS["question"], questions)
    for start in range(0, rows, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, rows)
        person, question = np.arange(start, stop) * persons // rows, rng.integers(0, questions, stop - start)
        practice = rng.normal(size=stop - start).astype(np.float32)
        eta = MEAN + SLOPE * practice + person_effect[person] + question_effect[question]
        yield {
            "person": person.astype(np.int32),
            "question": question.astype(np.int32),
            "practice": practice,
            "right": rng.random(stop - start) < 1.0 / (1.0 + np.exp(-eta)),
        }


def write(path: str | Path, rows: int = ROWS, seed: int = 1) -> int:
    """Write the file; return the number of rows."""
    return write_batches(path, answers(rows, seed))
