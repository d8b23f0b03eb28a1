"""What a model of the benchmarks is, and what a problem: a model with what is asked of the fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Model", "Problem"]

Structure = Literal["single-vector", "crossed", "crossed-vector", "nested"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """A model and its data.

    Parameters
    ----------
    name : str
        Key in the results.
    formula : str
        Model formula.
    loader : callable
        Returns the data frame; simulated data carry their seed here.
    reml : bool
        Criterion: REML or maximum likelihood.
    """

    name: str
    formula: str
    loader: Callable[[], pd.DataFrame]
    reml: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem(Model):
    """A model with its sizes, and what is asked of mixedsparse on it.

    Parameters
    ----------
    factors : tuple of str
        Columns that every engine receives as categories.
    structure : str
        Kind of random part.
    family : str, optional
        Problems that differ only in size, or only in the number of theta; a figure draws a line through them.
    n, q, p, n_theta : int
        Rows, random effects, fixed effects, covariance parameters. An engine with another `p` or
        `n_theta` has fitted another model.
    best_known : float, optional
        Lowest criterion known.
    targets : mapping of str to float
        Least ratio of a rival's seconds to those of mixedsparse.
    max_evaluations : int, optional
        Most evaluations of the criterion that mixedsparse may take.
    repetitions, quick_repetitions : int
        Timed calls per engine; with ``--quick``, where 0 leaves the problem out.
    """

    factors: tuple[str, ...]
    structure: Structure
    n: int
    q: int
    p: int
    n_theta: int
    family: str | None = None
    best_known: float | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    max_evaluations: int | None = None
    repetitions: int = 3
    quick_repetitions: int = 1

    def load(self) -> pd.DataFrame:
        """Return the data with the grouping columns and factors as categories."""
        frame = self.loader()
        return frame.astype({name: "category" for name in self.factors})
