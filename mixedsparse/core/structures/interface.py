"""What a covariance structure is.

The effects of a level have the covariance sigma^2 Sigma(phi), for parameters phi without bounds: a boundary is a value
at which the criterion is stationary, as at a standard deviation of 0, never one at infinity. Derivatives are asked for
in Sigma, in which the marginal covariance of the data is linear, so that no structure needs to know how its triangle
Lambda moves; the chain rule does the rest (see `mixedsparse.core.problem.chart`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

__all__ = ["Natural", "Parameter", "Structure"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a structure.

    Attributes
    ----------
    name : str
    kind : {"scale", "shape"}
        Whether it has the units of the standard deviations over sigma of the effects, or none.
    low, high : float
        Between which its canonical values lie. A scale that starts at 0 has a boundary there.
    effect : int or None
        Number of the effect whose units a scale has; None where it has those of all of them.
    even : bool
        Whether Sigma is the same at the mirror image of a scale. If it is not, 0 is the end of its range.
    """

    name: str
    kind: Literal["scale", "shape"]
    low: float
    high: float
    effect: int | None = None
    even: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Natural:
    """One quantity that a covariance is reported by.

    Attributes
    ----------
    kind : {"sd", "cor", "loading"}
        Standard deviation over sigma, correlation, or loading of an effect on a dimension, over sigma.
    effects : tuple of int
        Effects that it is of; empty where it is of all of them alike.
    value : float
    slope : ndarray, shape (size,)
        Its derivatives in phi.
    number : int or None
        Lag of a correlation, dimension of a loading.
    """

    kind: Literal["sd", "cor", "loading"]
    effects: tuple[int, ...]
    value: float
    slope: np.ndarray
    number: int | None = None

    def name(self, columns: Sequence[str], group: str = "") -> str:
        """Name of the quantity of effects `columns`: ``sd(x)``, ``cor(a,b)``, ``sd`` or ``cor`` of all, ``cor(lag 2)``.

        With a `group` it is named in the way of ``conf_int``: ``sd(x|g)``.
        """
        inside = ",".join(columns[i] for i in self.effects)
        if self.number is not None:
            inside = f"lag {self.number}" if self.kind == "cor" else f"{inside},{self.number}"
        inside = "|".join(part for part in (inside, group) if part)
        return f"{self.kind}({inside})" if inside else self.kind


class Structure(Protocol):
    """Sigma of `k` effects from `size` parameters phi."""

    @property
    def k(self) -> int:
        """Number of effects per level."""
        ...

    @property
    def size(self) -> int:
        """Number of parameters."""
        ...

    @property
    def label(self) -> str:
        """What the structure is called in tables."""
        ...

    def parameters(self) -> tuple[Parameter, ...]:
        """Say what each parameter is."""
        ...

    def factor(self, phi: np.ndarray) -> np.ndarray:
        """Lower triangle Lambda (k, k) with Lambda Lambda' = Sigma."""
        ...

    def slopes(self, phi: np.ndarray) -> np.ndarray:
        """D_i = dSigma / dphi_i, (size, k, k)."""
        ...

    def bend(self, phi: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Sum over a, c of G_ac d^2 Sigma_ac / dphi^2, (size, size), for symmetric `scores` G (k, k)."""
        ...

    def canonical(self, phi: np.ndarray) -> np.ndarray:
        """Phi of the same Sigma, in the form in which it is reported; nearest to it where phi is out of range."""
        ...

    def start(self, sigma: np.ndarray) -> np.ndarray:
        """Phi whose Sigma is near a positive semidefinite `sigma` (k, k)."""
        ...

    def natural(self, phi: np.ndarray) -> tuple[Natural, ...]:
        """Quantities that users know the covariance by, one for each parameter."""
        ...

    def read(self, sigma: np.ndarray) -> np.ndarray:
        """Values (size,) of these quantities in a covariance (k, k) that has the structure, in the units of its roots.

        A correlation of effects without variance is NaN.
        """
        ...
