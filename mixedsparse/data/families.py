"""Response families as users name them: by a word, by an object of ours, or by one of statsmodels."""

from __future__ import annotations

from typing import Any, Literal

from mixedsparse.core.likelihood.family import FAMILIES, Family
from mixedsparse.ground.checks import did_you_mean, one_of, shown
from mixedsparse.ground.errors import OptionError

__all__ = ["DOMAINS", "Domain", "read_family", "trials_and_weights"]

Domain = Literal["events", "counts", "positive"]
# What each family is a distribution of.
DOMAINS: dict[str, Domain] = {
    "binomial": "events",
    "poisson": "counts",
    "negative_binomial": "counts",
    "nb1": "counts",
    "gamma": "positive",
    "inverse_gaussian": "positive",
}
# Names in R and statsmodels, in small letters without "." and "_" -> ours.
_ALIASES = {
    "bernoulli": "binomial",
    "inversegaussian": "inverse_gaussian",
    "negativebinomial": "negative_binomial",
    "negbin": "negative_binomial",
    "nb2": "negative_binomial",
    "nbinom2": "negative_binomial",
    "nbinom1": "nb1",
}
_LINKS = {"cll": "cloglog", "inversepower": "inverse", "inversesquared": "1/mu^2", "nlog": "log"}
_LINEAR = ("gaussian", "normal")


def read_family(family: Any, link: str | None = None, dispersion: Any = None) -> Family:
    """Return the family that `family` and `link` name.

    Parameters
    ----------
    family : str, Family, class of one, or instance of a family of statsmodels
        Names in any case, ours or R's.
    link : str, optional
        The family's usual one by default.
    dispersion : float, optional
        Known one; estimated by default.

    Raises
    ------
    OptionError
        The family is not known, has no maximum likelihood, or has another link already.

    Examples
    --------
    >>> read_family("Gamma", "log"), read_family("bernoulli")
    (Gamma('log'), Binomial('logit'))
    """
    if isinstance(family, Family):
        if link is not None and link != family.link.name:
            raise OptionError(f"link={link!r}, but family={family!r} has its own: leave one out.")
        if dispersion is None or dispersion == family.dispersion:
            return family
        if family.dispersion is not None:
            raise OptionError(f"dispersion={shown(dispersion)}, but family={family!r} has its own: leave one out.")
        return type(family)(family.link.name, dispersion=dispersion)
    if isinstance(family, str):
        return _by_name(family, link, dispersion)
    if isinstance(family, type):
        return _by_name(family.__name__, link, dispersion)
    own = getattr(family, "link", None)
    if own is None:
        raise OptionError(f"family={shown(family)} is no family: use one of {_listed()}, or an object of ms.families.")
    name = type(own).__name__
    if _plain(name) == "power" and getattr(own, "power", None) == 0.5:
        name = "sqrt"
    return _by_name(type(family).__name__, link or _LINKS.get(_plain(name), _plain(name)), dispersion)


def _by_name(name: str, link: str | None, dispersion: Any) -> Family:
    plain = _plain(name)
    if plain in _LINEAR:
        raise OptionError(f"family={name!r}: fit a linear mixed model with ms.lmer(formula, data).")
    if plain.startswith("quasi"):
        raise OptionError(
            f"family={name!r} has no likelihood, which a mixed model is fitted by: for counts that vary more than "
            "Poisson's use 'negative_binomial', or a random effect for each row."
        )
    known = {_plain(key): key for key in FAMILIES} | _ALIASES
    if plain not in known:
        raise OptionError(f"family={name!r} is not known; use one of {_listed()}.{did_you_mean(plain, known)}")
    made = FAMILIES[known[plain]]
    if link is not None:
        one_of("link", link, made.links)
    return made(link, dispersion=dispersion)


def _plain(name: str) -> str:
    return name.casefold().replace(".", "").replace("_", "")


def _listed() -> str:
    return ", ".join(map(repr, ("binomial", "bernoulli", *(name for name in FAMILIES if name != "binomial"))))


def trials_and_weights(family: Family, trials: Any, weights: Any) -> dict[str, Any]:
    """Return trials and weights as a design takes them: the prior weights of a binomial family are its trials."""
    if DOMAINS[family.name] != "events" or weights is None:
        return {"trials": trials, "weights": weights}
    if trials is not None:
        raise OptionError("weights= and trials= both say how many trials a binomial row has: give one of them.")
    return {"trials": weights, "weights": None}
