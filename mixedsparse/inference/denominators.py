"""Methods for degrees of freedom: what one must offer, and the one place that knows them all.

A new method is a class with these four members and a line in `_METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mixedsparse.ground.checks import one_of
from mixedsparse.ground.errors import OptionError
from mixedsparse.inference.kenward_roger import INFORMATION, kenward_roger
from mixedsparse.inference.priors import Prior
from mixedsparse.inference.satterthwaite import satterthwaite

if TYPE_CHECKING:
    from mixedsparse.fitted.fitted import Fitted

__all__ = ["DDF", "Denominator", "Normal", "check_ddf", "denominator", "with_information"]


class Denominator(Protocol):
    """One method for degrees of freedom, at one fit."""

    @property
    def beta(self) -> np.ndarray:
        """Coefficients (p,)."""
        ...

    @property
    def cov(self) -> np.ndarray:
        """Covariance (p, p) of beta that the tests use."""
        ...

    @property
    def sigma2(self) -> float:
        """Residual variance."""
        ...

    def single(self, L: np.ndarray) -> np.ndarray:
        """Degrees of freedom (r,) of each row of L (r, p)."""
        ...

    def total(self, L: np.ndarray, prior: Prior) -> np.ndarray:
        """Degrees of freedom (r,) of the variance of each row of L (r, p) and that of `prior` together."""
        ...

    def joint(self, L: np.ndarray) -> tuple[float, float]:
        """Degrees of freedom and scale of the F statistic of all rows of L (r, p), which has full row rank."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Infinitely many degrees of freedom."""

    beta: np.ndarray
    cov: np.ndarray
    sigma2: float

    def single(self, L: np.ndarray) -> np.ndarray:
        """See `Denominator`."""
        return np.full(len(L), np.inf)

    def total(self, L: np.ndarray, prior: Prior) -> np.ndarray:
        """See `Denominator`."""
        return np.full(len(L), np.inf)

    def joint(self, L: np.ndarray) -> tuple[float, float]:
        """See `Denominator`."""
        return np.inf, 1.0


def _normal(fitted: Fitted) -> Normal:
    return Normal(fitted.fit.beta, fitted.fit.cov_beta, fitted.sigma2)


_METHODS: dict[str, Callable[[Fitted], Denominator]] = {
    "satterthwaite": satterthwaite,
    "kenward-roger": kenward_roger,
    "normal": _normal,
}
DDF = tuple(_METHODS)
# Kenward-Roger's method with the information that a call names.
_INFORMED: dict[str, Callable[[Fitted], Denominator]] = {
    f"kenward-roger ({kind} information)": partial(kenward_roger, information=kind) for kind in INFORMATION
}


def check_ddf(ddf: str) -> None:
    """Refuse a method for degrees of freedom that is not known."""
    if ddf not in _INFORMED:
        one_of("ddf", ddf, DDF)


def with_information(ddf: str, information: str | None) -> str:
    """Name of the method `ddf` by the `information` that is asked for.

    Raises
    ------
    OptionError
        It is not known, or `ddf` has no use for one.
    """
    check_ddf(ddf)
    if information is None:
        return ddf
    one_of("information", information, INFORMATION)
    if ddf != "kenward-roger":
        raise OptionError(f"information={information!r} belongs to ddf='kenward-roger', and ddf={ddf!r} is asked for.")
    return f"kenward-roger ({information} information)"


def denominator(fitted: Fitted, ddf: str) -> Denominator:
    """Return the method called `ddf` at `fitted`, made once and kept there.

    Raises
    ------
    OptionError
        `ddf` is not known, or has no meaning for a generalized model.
    """
    check_ddf(ddf)
    if not fitted.has_residual and ddf != "normal":
        raise OptionError(
            f"ddf={ddf!r} estimates degrees of freedom of a residual variance, which a generalized model does not "
            "have: its tests are normal (ddf='normal'). In small samples compare fits by their likelihoods, or by a "
            "bootstrap."
        )
    method = _INFORMED[ddf] if ddf in _INFORMED else _METHODS[ddf]
    return fitted.once(f"{ddf} denominator", method if len(fitted.fit.beta) else _normal)
