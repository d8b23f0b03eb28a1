"""A small crossed design with correlated slopes in 60-digit arithmetic, from the definition of the likelihood."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.likelihood.derivatives import differentiate
from mixedsparse.core.likelihood.pls import solve_pls
from tests.core.engines import ENGINES, engine_for
from tests.models import Small

N = 14
THETA = np.array([0.8, -0.3, 0.6, 1.1])
# Double precision on a design of this size.
REL = 1e-13
# Entries of the Hessian come from sums that cancel to a tenth.
HESSIAN_REL = 1e-11


def design() -> Small:
    """Numbers that doubles hold exactly, so that both arithmetics see the same data."""
    rng = np.random.default_rng(14)
    x = rng.integers(-8, 9, N) / 4
    y = rng.integers(-64, 65, N) / 16
    g, h = np.arange(N) % 5, (np.arange(N) // 2) % 4
    X = np.column_stack([np.ones(N), x])
    return Small(y, X, (RandomTerm("g", g, X), RandomTerm("h", h, np.ones(N))), weights=1 + (np.arange(N) % 3) / 2)


def criterion(small: Small, theta, reml: bool):
    a, b, c, d = theta
    first, second = mp.matrix([[a, 0], [b, c]]), d
    cov = first * first.T
    rows = range(N)
    g, h = (term.codes for term in small.terms)
    V = mp.zeros(N)
    for i in rows:
        V[i, i] += 1 / mp.mpf(small.weights[i])
        for j in rows:
            if g[i] == g[j]:
                V[i, j] += (mp.matrix(small.X[i]).T * cov * mp.matrix(small.X[j]))[0]
            if h[i] == h[j]:
                V[i, j] += second**2
    X, y = mp.matrix(small.X.tolist()), mp.matrix(small.y.tolist())
    L = mp.cholesky(V)
    half = mp.matrix(N, 3)
    for j, column in enumerate([X[:, 0], X[:, 1], y]):
        half[:, j] = _forward(L, column)
    S = half.T * half
    information = S[:2, :2]
    pwrss = mp.det(S) / mp.det(information)
    log_det = 2 * sum(mp.log(L[i, i]) for i in rows)
    df = N - 2 if reml else N
    value = log_det + df * (1 + mp.log(2 * mp.pi * pwrss / df))
    return value + mp.log(mp.det(information)) if reml else value


def _forward(L, b):
    out = mp.matrix(len(b), 1)
    for i in range(len(b)):
        out[i] = (b[i] - sum((L[i, j] * out[j] for j in range(i)), mp.mpf(0))) / L[i, i]
    return out


def test_weights_are_exact_doubles():
    assert np.array_equal(design().weights * 2, np.round(design().weights * 2))


@pytest.fixture(scope="module", params=[True, False], ids=["REML", "ML"])
def truth(request):
    """Criterion, gradient and Hessian: differences with a step of 1e-12 are exact beyond a double."""
    reml = request.param
    with mp.workdps(60):
        f = lambda *theta: criterion(design(), theta, reml)  # noqa: E731
        at, m, h = [mp.mpf(t) for t in THETA], len(THETA), mp.mpf(10) ** -12
        shifted = {}

        def value(*steps):
            key = tuple(sorted(steps))
            if key not in shifted:
                shifted[key] = f(*(t + h * sum(s for i, s in steps if i == k) for k, t in enumerate(at)))
            return shifted[key]

        centre = value()
        gradient = [(value((i, 1)) - value((i, -1))) / (2 * h) for i in range(m)]
        hessian = np.zeros((m, m))
        for i in range(m):
            for j in range(i + 1):
                if i == j:
                    second = (value((i, 1)) - 2 * centre + value((i, -1))) / h**2
                else:
                    corners = [(s * t, value((i, s), (j, t))) for s in (1, -1) for t in (1, -1)]
                    second = sum(sign * v for sign, v in corners) / (4 * h**2)
                hessian[i, j] = hessian[j, i] = float(second)
        return reml, float(centre), np.array([float(g) for g in gradient]), hessian


@pytest.mark.parametrize("kind", ENGINES)
def test_criterion_gradient_and_hessian(truth, kind):
    reml, value, gradient, hessian = truth
    problem = design().problem()
    engine, to_block = engine_for(problem, kind), problem.layout.to_block
    pls = solve_pls(problem, engine.factorize(problem.layout.lams(to_block @ THETA)), reml)
    derivatives = differentiate(engine, pls)
    assert pls.criterion == pytest.approx(value, rel=REL)
    np.testing.assert_allclose(to_block.T @ derivatives.gradient, gradient, rtol=0, atol=REL * 100)
    if derivatives.kind == "exact":
        scale = np.abs(hessian).max()
        np.testing.assert_allclose(
            to_block.T @ derivatives.hessian @ to_block, hessian, rtol=0, atol=HESSIAN_REL * scale
        )
