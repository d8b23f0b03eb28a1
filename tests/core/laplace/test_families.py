"""Log-likelihoods of the families and their derivatives, against arithmetic of 30 digits."""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest

from mixedsparse.core.likelihood.family import FAMILIES
from mixedsparse.core.likelihood.family.links import LINKS
from mixedsparse.ground.errors import DataError, OptionError

DIGITS = 30
# Of each number, relative to the largest of itself and 1.
CLOSE = 1e-9

MEANS: dict[str, Callable[[mp.mpf], mp.mpf]] = {
    "logit": lambda e: 1 / (1 + mp.exp(-e)),
    "probit": lambda e: mp.ncdf(e),
    "cloglog": lambda e: -mp.expm1(-mp.exp(e)),
    "log": mp.exp,
    "sqrt": lambda e: e**2,
    "identity": lambda e: e,
    "inverse": lambda e: 1 / e,
    "1/mu^2": lambda e: 1 / mp.sqrt(e),
}


# 1 - mu, which has no digits left where mu is near 1.
RESTS: dict[str, Callable[[mp.mpf], mp.mpf]] = {
    "logit": lambda e: 1 / (1 + mp.exp(e)),
    "probit": lambda e: mp.ncdf(-e),
    "cloglog": lambda e: mp.exp(-mp.exp(e)),
}


def choose(n: mp.mpf, k: mp.mpf) -> mp.mpf:
    return mp.loggamma(n + 1) - mp.loggamma(k + 1) - mp.loggamma(n - k + 1)


def binomial(y, m, mu, rest):  # type: ignore[no-untyped-def]
    k = m * y
    return choose(m, k) + (k * mp.log(mu) if k else 0) + ((m - k) * mp.log(rest) if m - k else 0)


def poisson(y, m, mu, psi):  # type: ignore[no-untyped-def]
    return m * (y * mp.log(mu) - mu - mp.loggamma(y + 1))


def gamma(y, m, mu, psi):  # type: ignore[no-untyped-def]
    nu = m * mp.exp(psi)
    return nu * mp.log(nu / mu) - mp.loggamma(nu) + (nu - 1) * mp.log(y) - nu * y / mu


def inverse_gaussian(y, m, mu, psi):  # type: ignore[no-untyped-def]
    scale = m * mp.exp(psi)
    return mp.log(scale / (2 * mp.pi * y**3)) / 2 - scale * (y - mu) ** 2 / (2 * mu**2 * y)


def negative_binomial(y, m, mu, psi):  # type: ignore[no-untyped-def]
    k = mp.exp(psi)
    return m * (
        mp.loggamma(y + k) - mp.loggamma(k) - mp.loggamma(y + 1) + k * mp.log(k / (k + mu)) + y * mp.log(mu / (k + mu))
    )


def nb1(y, m, mu, psi):  # type: ignore[no-untyped-def]
    phi = mp.exp(psi)
    k = mu / phi
    return m * (
        mp.loggamma(y + k) - mp.loggamma(k) - mp.loggamma(y + 1) - k * mp.log(1 + phi) + y * mp.log(phi / (1 + phi))
    )


DENSITIES = {
    "binomial": binomial,
    "poisson": poisson,
    "gamma": gamma,
    "inverse_gaussian": inverse_gaussian,
    "negative_binomial": negative_binomial,
    "nb1": nb1,
}
CASES = [(family, link) for family, kind in FAMILIES.items() for link in kind.links]


def points(family: str, link: str) -> list[tuple[float, float, float, float]]:
    """Rows (y, m, eta, psi): the usual ones, and those of the tails."""
    positive = link in ("identity", "inverse", "1/mu^2", "sqrt")
    etas = [0.05, 0.7, 9.0] if positive else [-6.0, -0.4, 2.5]
    if family == "binomial":
        rows = [(0.0, 1.0), (1.0, 1.0), (0.25, 8.0), (0.0, 5.0), (1.0, 5.0)]
        etas = [-30.0, -8.0, *etas, 2.9]
        if link != "cloglog":
            etas += [12.0, 38.0]
    elif family in ("gamma", "inverse_gaussian"):
        rows = [(0.3, 1.0), (2.0, 1.0), (5.0, 2.5)]
    else:
        rows = [(0.0, 1.0), (1.0, 1.0), (7.0, 2.0), (150.0, 1.0)]
    psis = [-1.5, 0.7, 5.0] if FAMILIES[family].has_dispersion else [0.0]
    return [(y, m, eta, psi) for y, m in rows for eta in etas for psi in psis]


@pytest.mark.parametrize(("family", "link"), CASES)
def test_rows_and_their_derivatives(family: str, link: str) -> None:
    made = FAMILIES[family](link)
    for y, m, eta, psi in points(family, link):
        with mp.workdps(DIGITS):

            def value(e, p, y=y, m=m):  # type: ignore[no-untyped-def]
                last = RESTS[link](e) if family == "binomial" else p
                return DENSITIES[family](mp.mpf(y), mp.mpf(m), MEANS[link](e), last)

            at = mp.mpf(eta), mp.mpf(psi)
            want = [value(*at), *(mp.diff(lambda e, p=at[1]: value(e, p), at[0], k) for k in (1, 2, 3))]
            want = [float(v) for v in want]
        columns = np.array([y]), np.array([m]), np.array([eta])
        got = made.rows(*columns, psi)
        total = got.value[0] + made.constant(*columns[:2])
        assert [total, got.s[0], -got.w[0], -got.kappa[0]] == [pytest.approx(v, rel=CLOSE, abs=CLOSE) for v in want], (
            y,
            m,
            eta,
            psi,
        )


@pytest.mark.parametrize(("family", "link"), [c for c in CASES if FAMILIES[c[0]].has_dispersion])
def test_derivatives_in_the_dispersion(family: str, link: str) -> None:
    made = FAMILIES[family](link)
    for y, m, eta, psi in points(family, link):
        with mp.workdps(DIGITS):

            def value(e, p, y=y, m=m):  # type: ignore[no-untyped-def]
                return DENSITIES[family](mp.mpf(y), mp.mpf(m), MEANS[link](e), p)

            at = mp.mpf(eta), mp.mpf(psi)
            want = [float(mp.diff(value, at, order)) for order in ((0, 1), (1, 1), (2, 1), (0, 2))]
        got = made.dispersion_rows(np.array([y]), np.array([m]), np.array([eta]), psi)
        assert [got.value[0], got.s[0], -got.w[0], got.second[0]] == [
            pytest.approx(v, rel=CLOSE, abs=CLOSE) for v in want
        ], (
            y,
            m,
            eta,
            psi,
        )


@pytest.mark.parametrize("family", ["gamma", "negative_binomial", "nb1"])
def test_extreme_dispersions_keep_their_digits(family: str) -> None:
    made = FAMILIES[family]()
    psi = -16.0 if family == "nb1" else 16.0
    y, m, eta = 3.0, 1.0, 1.2
    with mp.workdps(DIGITS):

        def value(e, p):  # type: ignore[no-untyped-def]
            return DENSITIES[family](mp.mpf(y), mp.mpf(m), mp.exp(e), p)

        at = mp.mpf(eta), mp.mpf(psi)
        want = [float(value(*at)), *(float(mp.diff(value, at, (0, k))) for k in (1, 2))]
    columns = np.array([y]), np.array([m]), np.array([eta])
    got, slopes = made.rows(*columns, psi), made.dispersion_rows(*columns, psi)
    found = [got.value[0] + made.constant(*columns[:2]), slopes.value[0], slopes.second[0]]
    assert found == [pytest.approx(v, rel=1e-7, abs=1e-9) for v in want]


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log"), ("negative_binomial", "log")])
def test_sums_of_large_counts_lose_no_digits(family: str, link: str) -> None:
    made = FAMILIES[family](link)
    if family == "binomial":
        y, m, eta = np.array([0.3000001]), np.array([1e7]), np.array([np.log(0.3 / 0.7)])
    else:
        y, m, eta = np.array([1e6 + 1]), np.ones(1), np.array([np.log(1e6)])
    with mp.workdps(DIGITS):
        density = DENSITIES[family]
        psi = mp.mpf(25)

        def value(mu):  # type: ignore[no-untyped-def]
            return density(mp.mpf(float(y[0])), mp.mpf(float(m[0])), mu, 1 - mu if family == "binomial" else psi)

        want = float(value(MEANS[link](mp.mpf(float(eta[0])))) - value(mp.mpf(float(y[0]))))
    got = made.rows(y, m, eta, 25.0).value[0] - made.rows(y, m, made.link.of(y), 25.0).value[0]
    assert got == pytest.approx(want, abs=1e-8)


@pytest.mark.parametrize("name", list(LINKS))
def test_links_are_inverses(name: str) -> None:
    link = LINKS[name]()
    mu = np.array([0.02, 0.4, 0.93])
    assert link.mean(link.of(mu)) == pytest.approx(mu, rel=1e-13)
    assert link.means(link.of(mu)).mu == pytest.approx(mu, rel=1e-13)


@pytest.mark.parametrize("name", list(LINKS))
def test_derivatives_of_links(name: str) -> None:
    link = LINKS[name]()
    eta = link.of(np.array([0.02, 0.4, 0.93]))
    got = link.means(eta)
    for i, e in enumerate(eta):
        with mp.workdps(DIGITS):
            want = [float(mp.diff(MEANS[name], mp.mpf(float(e)), k)) for k in range(4)]
        assert [d[i] for d in got] == [pytest.approx(v, rel=1e-11, abs=1e-13) for v in want]


def test_outside_its_domain_a_row_is_impossible() -> None:
    y, m, eta = np.ones(2), np.ones(2), np.array([-1.0, 2.0])
    for family, link in (("poisson", "identity"), ("gamma", "inverse"), ("inverse_gaussian", "1/mu^2")):
        inside = np.isfinite(FAMILIES[family](link).rows(y, m, eta).value)
        assert inside.tolist() == [False, True]


@pytest.mark.parametrize(
    ("family", "y", "m", "words"),
    [
        ("binomial", 1.5, 1.0, "between 0 and 1"),
        ("binomial", 0.5, 3.0, "whole number of successes"),
        ("poisson", -1.0, 1.0, "at least 0"),
        ("poisson", 0.5, 1.0, "whole number"),
        ("nb1", 0.5, 1.0, "whole number"),
        ("gamma", 0.0, 1.0, "positive"),
        ("inverse_gaussian", -2.0, 1.0, "positive"),
    ],
)
def test_impossible_responses_are_refused(family: str, y: float, m: float, words: str) -> None:
    with pytest.raises(DataError, match=words):
        FAMILIES[family]().check(np.array([1.0, y]), np.array([1.0, m]))


def test_unknown_links_are_refused() -> None:
    with pytest.raises(OptionError, match="probit"):
        FAMILIES["binomial"]("log")
