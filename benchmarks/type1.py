"""Type-I error of the tests of fixed effects in small unbalanced designs: ``python -m benchmarks.type1``.

Both hypotheses of a design are true in every replicate: a predictor between groups and one within. A method keeps its
level when its rate of p < 0.05 is within Monte-Carlo error of 0.05; the normal distribution stands beside, as what
happens without degrees of freedom.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

import mixedsparse as ms

__all__ = ["DESIGNS", "Rate", "main", "rejection_rates"]

LEVEL = 0.05
METHODS = ("satterthwaite", "kenward-roger", "normal")


@dataclass(frozen=True)
class Design:
    """Groups of unequal sizes; standard deviations of intercept and slope between groups, residual 1."""

    name: str
    sizes: tuple[int, ...]
    sd: tuple[float, ...]

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X (n, 3): 1, a predictor between groups, one within; Z (n, k); codes (n,)."""
        rng = np.random.default_rng(1)  # the same predictors in every replicate
        codes = np.repeat(np.arange(len(self.sizes)), self.sizes)
        between, within = (np.arange(len(self.sizes)) % 3 == 0)[codes], rng.normal(size=len(codes))
        X = np.column_stack([np.ones(len(codes)), between, within])
        return X, X[:, [0, 2]][:, : len(self.sd)], codes


DESIGNS = (
    Design("12 groups of 2 to 9, (1 | g)", (2, 2, 3, 3, 4, 5, 5, 6, 7, 8, 9, 9), (1.0,)),
    Design("30 groups of 3 to 14, (1 + x | g)", (3, 4, 5, 6, 7, 8, 9, 10, 12, 14) * 3, (1.0, 1.0)),
    # Beyond what Satterthwaite's method is good for: its standard errors do not know that theta is estimated.
    Design("12 groups of 3 to 14, (1 + x | g)", (3, 4, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14), (1.0, 1.0)),
)


@dataclass(frozen=True)
class Rate:
    """Share of replicates with p < 0.05 by method, for one coefficient of one design."""

    design: str
    coefficient: str
    replicates: int
    rates: dict[str, float]

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of a rate of 0.05."""
        return float(np.sqrt(LEVEL * (1 - LEVEL) / self.replicates))


def rejection_rates(design: Design, replicates: int, seed: int) -> list[Rate]:
    """Simulate `replicates` responses under the null hypothesis and test both predictors by every method."""
    X, Z, codes = design.arrays()
    rng = np.random.default_rng(seed)
    rejected = np.zeros((len(METHODS), 2))
    for y in _responses(design, Z, codes, replicates, rng):
        term = ms.RandomTerm("g", codes, Z)
        fit = ms.LinearMixedModel.from_arrays(y, X, [term], x_names=["1", "between", "within"]).fit()
        rejected += [fit.coef_table(ddf=ddf)["p"].iloc[1:] < LEVEL for ddf in METHODS]
    return [
        Rate(design.name, name, replicates, dict(zip(METHODS, rejected[:, i] / replicates, strict=True)))
        for i, name in enumerate(("between", "within"))
    ]


def _responses(
    design: Design, Z: np.ndarray, codes: np.ndarray, replicates: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    for _ in range(replicates):
        effects = rng.normal(size=(len(design.sizes), len(design.sd))) * design.sd
        yield np.einsum("nk,nk->n", Z, effects[codes]) + rng.normal(size=len(codes))


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and print the rates."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.type1", description=__doc__)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    print(f"{'design':36s} {'predictor':10s} " + " ".join(f"{m:>14s}" for m in METHODS) + "   Monte-Carlo error")
    started = time.perf_counter()
    for design in DESIGNS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ms.SingularFitWarning)  # some replicates have no variance: they count
            for rate in rejection_rates(design, options.replicates, options.seed):
                values = " ".join(f"{rate.rates[m]:14.4f}" for m in METHODS)
                print(f"{rate.design:36s} {rate.coefficient:10s} {values}   {rate.error:.4f}", flush=True)
    print(f"{options.replicates} replicates per design, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
