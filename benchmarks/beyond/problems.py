"""What is measured, and the bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ratings_parquet
from benchmarks.beyond import answers, lexicon

__all__ = ["AGGREGATION", "ANSWERS", "RATINGS", "BigProblem", "problem_named"]


@dataclass(frozen=True, kw_only=True)
class BigProblem:
    """A model of data in a file that is made for it.

    Attributes
    ----------
    name : str
    task : str
        What is done, in words.
    formula : str
    fits : bool
        Whether the model is fitted; otherwise the rows are only summed up.
    sizes : tuple of int
        Numbers of rows.
    write : callable
        Path and rows to the file, and the rows that there are.
    bars : Mapping of int to tuple
        Bars of some sizes: seconds, or None, and 10^9 bytes.
    family : str or None
        Of a generalized model.
    """

    name: str
    task: str
    formula: str
    fits: bool
    sizes: tuple[int, ...]
    write: Callable[[Path, int], int]
    bars: Mapping[int, tuple[float | None, float]]
    family: str | None = None


RATINGS = BigProblem(
    name="ratings",
    task="ratings, file to estimates",
    formula="rating ~ 1 + (1 | userId) + (1 | movieId)",
    fits=True,
    sizes=(1_000_000, 4_000_000, 16_000_000, ratings_parquet.ROWS, 64_000_000, 256_000_000),
    write=lambda path, rows: ratings_parquet.write(path, rows, *ratings_parquet.levels(rows)),
    bars={ratings_parquet.ROWS: (20.0, 1.5), 256_000_000: (360.0, 6.0)},
)
AGGREGATION = BigProblem(
    name="lexicon",
    task="reaction times, file to cross-products",
    formula="rt ~ frequency + (1 | subject) + (1 | item)",
    fits=False,
    sizes=(lexicon.ROWS,),
    write=lexicon.write,
    bars={lexicon.ROWS: (None, 4.0)},
)


ANSWERS = BigProblem(
    name="answers",
    task="right and wrong answers, file to estimates",
    formula="right ~ practice + (1 | person) + (1 | question)",
    fits=True,
    sizes=(answers.ROWS,),
    write=answers.write,
    bars={answers.ROWS: (None, 6.0)},
    family="binomial",
)


def problem_named(name: str) -> BigProblem:
    """Return the problem of that name."""
    return {problem.name: problem for problem in (RATINGS, AGGREGATION, ANSWERS)}[name]
