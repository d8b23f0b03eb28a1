"""Kinds of covariances as users ask for them, by name in a formula or as objects, before the effects are known."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from mixedsparse.core.structures.autoregressive import Autoregressive
from mixedsparse.core.structures.compound import CompoundSymmetry, EqualCompoundSymmetry
from mixedsparse.core.structures.diagonal import Diagonal
from mixedsparse.core.structures.interface import Structure
from mixedsparse.core.structures.reduced_rank import ReducedRank
from mixedsparse.core.structures.toeplitz import Toeplitz
from mixedsparse.core.structures.unstructured import Unstructured
from mixedsparse.ground.checks import is_whole, shown
from mixedsparse.ground.errors import OptionError

__all__ = ["AR1", "CS", "RR", "US", "Diag", "Kind", "Toep"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a covariance is asked for by.

    Attributes
    ----------
    takes_order : bool
        Whether it is one of effects in order, so that they must be the levels of one factor.
    """

    name: ClassVar[str] = ""
    takes_order: ClassVar[bool] = False

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class US(Kind):
    """Any covariance: a variance for each effect and a correlation for each pair, as of a plain ``(x | g)``."""

    name: ClassVar[str] = "us"

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        return Unstructured(k)


@dataclass(frozen=True, slots=True)
class Diag(Kind):
    """Effects without correlations.

    Parameters
    ----------
    hom : bool
        Whether their variances are equal.
    """

    hom: bool = False
    name: ClassVar[str] = "diag"

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        return Diagonal(k, self.hom)


@dataclass(frozen=True, slots=True)
class CS(Kind):
    """Compound symmetry: one correlation for all pairs of effects, from -1 / (k - 1) to 1.

    Parameters
    ----------
    hom : bool
        Whether the variances are equal too.
    """

    hom: bool = False
    name: ClassVar[str] = "cs"

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        if k == 1:
            return Diagonal(1)
        return EqualCompoundSymmetry(k) if self.hom else CompoundSymmetry(k)


@dataclass(frozen=True, slots=True)
class AR1(Kind):
    """First-order autoregression: correlations rho^|t_i - t_j|.

    Parameters
    ----------
    hom : bool
        Whether the variances are equal.
    times : tuple of int, optional
        Time t of each effect; 0, 1, 2, ... when not given.
    """

    hom: bool = True
    times: tuple[int, ...] | None = None
    name: ClassVar[str] = "ar1"
    takes_order: ClassVar[bool] = True

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        times = () if self.times is None else _distinct("times", self.times, k)
        return Diagonal(1) if k == 1 else Autoregressive(k, self.hom, times)


@dataclass(frozen=True, slots=True)
class Toep(Kind):
    """Toeplitz: one correlation for each distance in the order of the effects.

    Parameters
    ----------
    hom : bool
        Whether the variances are equal.
    times : tuple of int, optional
        Evenly spaced times of the effects; 0, 1, 2, ... when not given.
    """

    hom: bool = False
    times: tuple[int, ...] | None = None
    name: ClassVar[str] = "toep"
    takes_order: ClassVar[bool] = True

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        if self.times is None:
            return Diagonal(1) if k == 1 else Toeplitz(k, self.hom)
        times = _distinct("times", self.times, k)
        ordered = sorted(times)
        if len({after - before for before, after in pairwise(ordered)}) > 1:
            raise OptionError(
                f"times={shown(self.times)} are not evenly spaced, and toep() has one correlation for each distance: "
                "leave times out where the order alone counts."
            )
        return Diagonal(1) if k == 1 else Toeplitz(k, self.hom, tuple(ordered.index(time) for time in times))


@dataclass(frozen=True, slots=True)
class RR(Kind):
    """Reduced rank: the effects of a level are combinations of `d` latent ones.

    Parameters
    ----------
    d : int
        Number of latent effects, at most that of the effects.
    """

    d: int = 2
    name: ClassVar[str] = "rr"

    def __post_init__(self) -> None:
        if not is_whole(self.d) or self.d < 1:
            raise OptionError(f"d={shown(self.d)} must be a whole number, at least 1.")

    def of(self, k: int) -> Structure:
        """Return the structure of `k` effects."""
        if self.d > k:
            raise OptionError(f"d={self.d} dimensions are more than the {k} effects: give d={k} at most.")
        return ReducedRank(k, self.d)


def _distinct(argument: str, times: tuple[int, ...], k: int) -> tuple[int, ...]:
    """Return `times` as k different integers."""
    if len(set(times)) != k or len(times) != k or not all(is_whole(time) for time in times):
        raise OptionError(f"{argument}={shown(times)} must be {k} different whole numbers, one for each effect.")
    return tuple(int(time) for time in times)
