"""Whether one of two programs is slower, from timings taken in turn on a machine that is never quiet."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Verdict", "judge_pairs"]

RESAMPLES = 2000
LEVEL = 0.05  # one-sided
SEED = 5  # the same timings always give the same verdict


@dataclass(frozen=True)
class Verdict:
    """What is found of two programs.

    `ratio` of head to base, and the pair (`base`, `head`) that has it; what the ratio is at least (one-sided 95 %
    bound); whether that is slower than allowed.
    """

    ratio: float
    at_least: float
    slow: bool
    base: float
    head: float


def judge_pairs(pairs: Sequence[tuple[float, float]], threshold: float) -> Verdict:
    """Judge pairs of seconds (base, head) that were measured next to each other.

    The ratio is the median of the pairs' ratios, that of an actual pair (the lower of two in the middle): drift that
    meets both falls out, and single interruptions do not move it. Its lower bound is that of the percentile
    bootstrap over pairs (Efron & Tibshirani 1993, chapter 13). Slow is what has a ratio above `threshold` that noise
    alone does not explain, that is a bound above 1.

    Examples
    --------
    >>> judge_pairs([(1.0, 1.3), (1.1, 1.4), (0.9, 1.2), (1.0, 1.3), (1.2, 1.5)], 1.1).slow
    True
    """
    ratios = [head / base for base, head in pairs]
    generator = random.Random(SEED)
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    ratio, at_least = statistics.median_low(ratios), medians[int(LEVEL * RESAMPLES)]
    base, head = pairs[ratios.index(ratio)]
    return Verdict(ratio, at_least, slow=ratio > threshold and at_least > 1.0, base=base, head=head)
