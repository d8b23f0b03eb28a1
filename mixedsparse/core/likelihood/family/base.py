"""What every response family gives: per row the log-likelihood and its derivatives in the linear predictor.

With eta the linear predictor, psi the log of the dispersion (where the family has one) and l the log density of a row,

    s = dl/d eta,   w = -d2l/d eta2 (observed information),   kappa = dw/d eta

in general from derivatives l1, l2, l3 in the mean: s = l1 mu', w = -(l2 mu'^2 + l1 mu''), kappa = -(l3 mu'^3 +
3 l2 mu' mu'' + l1 mu'''). The sums of l that are compared during a fit leave out what depends on neither eta nor psi
(`Family.constant`), so that counts of a million lose no digits.
"""
# ruff: noqa: D102 - the first class says what each method gives

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

import numpy as np

from mixedsparse.core.likelihood.family.link import Link, Means
from mixedsparse.core.likelihood.family.links import LINKS
from mixedsparse.ground.checks import is_number, one_of, shown
from mixedsparse.ground.errors import DataError, OptionError

__all__ = ["DispersionTerms", "Family", "InMean", "InMeanDispersion", "MeanFamily", "RowTerms"]


class RowTerms(NamedTuple):
    """Log-likelihood l of each row and its derivatives in eta, each (n,): s = l', w = -l'', kappa = -l'''."""

    value: np.ndarray
    s: np.ndarray
    w: np.ndarray
    kappa: np.ndarray


class DispersionTerms(NamedTuple):
    """Derivatives in psi, each (n,): of l twice, of s and of w once."""

    value: np.ndarray
    s: np.ndarray
    w: np.ndarray
    second: np.ndarray


class Family(ABC):
    """A response family with its link.

    Parameters
    ----------
    link : str, optional
        Name of one of `links`; the first of them when not given.
    dispersion : float, optional
        exp(psi) where it is known; it is estimated when not given, in families that have one.

    Attributes
    ----------
    name : str
    links : tuple of str
        Links that the family takes, the usual one first.
    has_dispersion : bool
        Whether there is a dispersion parameter exp(psi), which is estimated with the others.
    dispersion : float or None
        The one that is known.
    psi : float
        Its logarithm; 0 where there is none, or none that is known.
    """

    name: ClassVar[str]
    links: ClassVar[tuple[str, ...]]
    has_dispersion: bool = False
    dispersion: float | None = None
    psi: float = 0.0

    def __init__(self, link: str | None = None, *, dispersion: float | None = None) -> None:
        chosen = self.links[0] if link is None else link
        one_of("link", chosen, self.links)
        self.link: Link = LINKS[chosen]()
        if dispersion is not None:
            if not self.has_dispersion:
                raise OptionError(f"dispersion= belongs to families that have one; {self.name} has none.")
            if not (is_number(dispersion) and 0.0 < dispersion < np.inf):
                raise OptionError(f"dispersion={shown(dispersion)} must be a positive number.")
            self.dispersion, self.psi, self.has_dispersion = float(dispersion), float(np.log(dispersion)), False

    def __repr__(self) -> str:
        """Return the call that makes it."""
        known = "" if self.dispersion is None else f", dispersion={self.dispersion:g}"
        return f"{type(self).__name__}({self.link.name!r}{known})"

    @property
    def canonical(self) -> bool:
        """Whether observed and expected information agree."""
        return False

    @abstractmethod
    def rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float = 0.0) -> RowTerms:
        """Log-likelihood less its constant, and derivatives in eta; minus infinity outside the domain.

        Parameters
        ----------
        y, m, eta : ndarray, shape (n,)
            Response, prior weights (trials of a binomial response, whose y are proportions) and linear predictor.
        psi : float
        """

    def dispersion_rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float) -> DispersionTerms:
        """Return the derivatives in psi."""
        raise NotImplementedError(f"{self.name} has no dispersion")

    @abstractmethod
    def constant(self, y: np.ndarray, m: np.ndarray) -> float:
        """Sum over rows of the part of the log-likelihood that `rows` leaves out."""

    @abstractmethod
    def variance(self, mu: np.ndarray, m: np.ndarray, psi: float = 0.0) -> np.ndarray:
        """Variance of the response with mean `mu`."""

    @abstractmethod
    def check(self, y: np.ndarray, m: np.ndarray) -> None:
        """Refuse responses that the family cannot have."""

    @abstractmethod
    def first_means(self, y: np.ndarray, m: np.ndarray) -> np.ndarray:
        """Means inside the range, from the response alone, to start Fisher scoring from."""

    def mean(self, eta: np.ndarray) -> np.ndarray:
        """Mean of the response."""
        return self.link.mean(eta)

    def deviance_residuals(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        """Signed roots of the deviances, (n,)."""
        return np.asarray(np.sign(y - mu) * np.sqrt(np.maximum(self.deviances(y, m, mu, psi), 0.0)))

    @abstractmethod
    def deviances(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        """Deviance of each row, (n,), as R's ``dev.resids``: twice what the mean y would add to the log-likelihood.

        Of gamma and inverse Gaussian responses over the dispersion, as there.
        """

    @abstractmethod
    def cumulative(
        self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (n,) of a response below y, and of one up to y."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, m: np.ndarray, mu: np.ndarray, psi: float = 0.0) -> np.ndarray:
        """Responses of the shape of `mu` with these means."""


class InMean(NamedTuple):
    """Log-likelihood of each row and its first three derivatives in the mean."""

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray


class InMeanDispersion(NamedTuple):
    """Derivatives in psi of l, of its first two derivatives in the mean, and the second of l."""

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    second: np.ndarray


class MeanFamily(Family):
    """A family whose derivatives come from those in the mean and those of the link."""

    @abstractmethod
    def in_mean(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMean:
        """Return l and its derivatives in the mean."""

    def in_mean_dispersion(self, y: np.ndarray, m: np.ndarray, mu: np.ndarray, psi: float) -> InMeanDispersion:
        """Return mixed derivatives of l in psi and the mean."""
        raise NotImplementedError(f"{self.name} has no dispersion")

    def _means(self, y: np.ndarray, eta: np.ndarray) -> tuple[Means, np.ndarray]:
        """Means, of 1 in place of what lies outside the domain, and the mask of what lies inside."""
        inside = self.link.allows(eta, y)
        return self.link.means(np.where(inside, eta, 1.0)), inside

    def rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float = 0.0) -> RowTerms:
        mu, inside = self._means(y, eta)
        d = self.in_mean(y, m, mu.mu, psi)
        return RowTerms(
            np.where(inside, d.value, -np.inf),
            d.d1 * mu.d1,
            -(d.d2 * mu.d1**2 + d.d1 * mu.d2),
            -(d.d3 * mu.d1**3 + 3.0 * d.d2 * mu.d1 * mu.d2 + d.d1 * mu.d3),
        )

    def dispersion_rows(self, y: np.ndarray, m: np.ndarray, eta: np.ndarray, psi: float) -> DispersionTerms:
        mu, _ = self._means(y, eta)
        d = self.in_mean_dispersion(y, m, mu.mu, psi)
        return DispersionTerms(d.value, d.d1 * mu.d1, -(d.d2 * mu.d1**2 + d.d1 * mu.d2), d.second)


def refuse(name: str, bad: np.ndarray, y: np.ndarray, allowed: str) -> None:
    """Raise where any response is `bad`, with the first of them."""
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(f"A {name} response must be {allowed}; row {first} has {y[first]:g}.")
