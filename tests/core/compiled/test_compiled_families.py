"""Compiled rows against those that NumPy computes, where the latter keep their digits."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse.core.compiled.families import WHOLE_LOGIT, code_of, fill_rows
from mixedsparse.core.likelihood.family import FAMILIES

COMPILED = [("binomial", "logit"), ("binomial", "probit"), ("binomial", "cloglog"), ("poisson", "log")]


def responses(rng: np.random.Generator, family: str, kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw responses and weights: outcomes, proportions or large counts."""
    if family == "poisson":
        return rng.poisson(3.0 if kind == "outcomes" else 1e5, n).astype(float), rng.uniform(0.5, 2.0, n)
    m = {"outcomes": np.ones(n), "proportions": rng.integers(1, 30, n) * 1.0, "many": np.full(n, 1e6)}[kind]
    return np.round(rng.random(n) * m) / m, m


@pytest.mark.parametrize("kind", ["outcomes", "proportions", "many"])
@pytest.mark.parametrize(("family", "link"), COMPILED)
def test_compiled_rows_are_those_of_the_family(family: str, link: str, kind: str) -> None:
    rng = np.random.default_rng(3)
    y, m = responses(rng, family, kind, 400)
    eta = rng.uniform(-4.0, 4.0, 400) if family == "binomial" else np.log(y + 1.0) + 0.3 * rng.normal(size=400)
    code = code_of(family, link, y)
    assert code is not None
    want = FAMILIES[family](link).rows(y, m, eta)
    for i in range(len(y)):
        total, _ = fill_rows(code, y[i : i + 1], m[i : i + 1], eta[i : i + 1], bool(m[i] == 1.0))
        assert total == pytest.approx(want.value[i], rel=1e-9, abs=1e-13 * float(m.max()))
    total, slopes = fill_rows(code, y, m, eta, bool((m == 1.0).all()))
    assert total == pytest.approx(want.value.sum(), rel=1e-12, abs=1e-12 * float(m.max()))
    for got, expected in zip(slopes, want[1:], strict=True):
        # A proportion that is met exactly has a log-likelihood of next to nothing.
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13 * float(m.max()))


def test_outcomes_by_the_logit_link_take_the_loop_without_branches() -> None:
    y = np.array([0.0, 1.0, 1.0, 0.0])
    assert code_of("binomial", "logit", y) == WHOLE_LOGIT
    assert code_of("binomial", "logit", np.array([0.5])) != WHOLE_LOGIT
    assert code_of("gamma", "log", y) is None
    eta = np.array([-800.0, -800.0, 800.0, 2.0])
    total, (s, w, kappa) = fill_rows(WHOLE_LOGIT, y, np.ones(4), eta, True)
    p = 1 / (1 + np.exp(-2.0))
    assert total == pytest.approx(-800.0 + np.log(1 - p), rel=1e-14)
    assert fill_rows(WHOLE_LOGIT, y, np.ones(4), eta, False)[0] == pytest.approx(total, rel=1e-15)
    assert s == pytest.approx([0.0, 1.0, 0.0, -p], rel=1e-14)
    assert w == pytest.approx([0.0, 0.0, 0.0, p * (1 - p)], rel=1e-14, abs=1e-300)
    assert kappa == pytest.approx([0.0, 0.0, 0.0, p * (1 - p) * (1 - 2 * p)], rel=1e-13, abs=1e-300)


def test_the_tail_of_the_probit_link_keeps_its_digits() -> None:
    """At -38, where the probability is 0 in floating point; digits by the continued fraction in 60-digit arithmetic."""
    code = code_of("binomial", "probit", np.ones(1))
    assert code is not None
    total, (s, w, _) = fill_rows(code, np.ones(1), np.ones(1), np.array([-38.0]), True)
    assert total == pytest.approx(-726.557216018820130, rel=1e-14)
    assert s[0] == pytest.approx(38.0262794665758690, rel=1e-14)
    assert w[0] == pytest.approx(0.999310340246533741, rel=1e-14)


@pytest.mark.parametrize("n", [1, 511, 512, 513, 5000])
def test_one_logarithm_for_many_rows_loses_no_digits(n: int) -> None:
    """At linear predictors near 0 each of the factors is 2: of a block they are 2^512, which does not overflow."""
    rng = np.random.default_rng(n)
    eta = np.where(rng.random(n) < 0.5, 1e-9, 3.0) * rng.normal(size=n)
    y = (rng.random(n) < 0.5).astype(float)
    want = -np.logaddexp(0.0, -(2.0 * y - 1.0) * eta).sum()
    assert fill_rows(WHOLE_LOGIT, y, np.ones(n), eta, True)[0] == pytest.approx(want, rel=1e-14)
    assert np.isnan(fill_rows(WHOLE_LOGIT, y, np.ones(n), np.full(n, np.nan), True)[0])
