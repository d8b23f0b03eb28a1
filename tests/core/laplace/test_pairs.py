"""Blocks of Lambda M^-1 Lambda' where levels meet: every engine against the dense inverse."""

from __future__ import annotations

import numpy as np
import pytest

from mixedsparse import RandomTerm
from mixedsparse.core.likelihood.interface import Engine
from mixedsparse.core.problem.problem import Problem, make_problem
from tests.core.engines import ENGINES, engine_for
from tests.models import codes, ones, with_x


def crossed(widths: tuple[int, int, int]) -> Problem:
    """Three crossed factors; the second has most effects where it has slopes."""
    rng = np.random.default_rng(list(widths))
    n = 150
    X = with_x(rng, n)
    terms = [
        RandomTerm(name, codes(rng, n, levels), ones(n) if k == 1 else X)
        for name, levels, k in zip("abc", (14, 12, 6), widths, strict=True)
    ]
    return make_problem(rng.normal(size=n), X, terms)


def blocks(engine: Engine) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
    """Blocks at a Lambda of every width, traces asked for in between."""
    rng = np.random.default_rng(1)
    lams = [np.tril(rng.normal(size=(k, k))) + 2 * np.eye(k) for k in engine.problem.layout.widths]
    factor = engine.factorize(lams)
    found = factor.pattern_covariances()
    want = engine.factorize(lams).traces()
    for got, trace in zip(factor.traces(), want, strict=True):
        assert got == pytest.approx(trace, rel=1e-10, abs=1e-10)
    side = [rng.normal(size=(*own.shape[:2], 2)) for own in engine.problem.Zxy]
    for got, mode in zip(factor.solve(side)[0], engine.factorize(lams).solve(side)[0], strict=True):
        assert got == pytest.approx(mode, rel=1e-10, abs=1e-10)
    return found


@pytest.mark.parametrize("widths", [(1, 1, 1), (2, 1, 1), (1, 2, 1), (2, 2, 2)])
@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.parametrize(("count", "numbers"), [(1, 65_536), (1, 30), (2, 30)])
def test_blocks_where_levels_meet(
    widths: tuple[int, int, int], kind: str, count: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = crossed(widths)
    engine = engine_for(problem, kind)
    monkeypatch.setattr("mixedsparse.core.engines.kernels.pairs.allowed_threads", lambda: count)
    monkeypatch.setattr("mixedsparse.core.engines.kernels.pairs._NUMBERS", numbers)
    want_diagonal, want_pairs = blocks(engine_for(problem, "DenseCoupling"))
    diagonal, pairs = blocks(engine)
    for got, want in zip(diagonal, want_diagonal, strict=True):
        assert got == pytest.approx(want, rel=1e-10, abs=1e-12)
    assert pairs.keys() == want_pairs.keys()
    for key, got in pairs.items():
        assert got == pytest.approx(want_pairs[key], rel=1e-10, abs=1e-12)


def test_the_referee_is_the_dense_inverse() -> None:
    problem = crossed((2, 1, 1))
    rng = np.random.default_rng(1)
    lams = [np.tril(rng.normal(size=(k, k))) + 2 * np.eye(k) for k in problem.layout.widths]
    columns = []
    for block in problem.blocks:
        wide = np.zeros((problem.n, block.n_levels, block.width))
        wide[np.arange(problem.n), block.codes] = block.z
        columns.append(wide.reshape(problem.n, -1))
    Z = np.hstack(columns)
    starts = np.cumsum([0, *(c.shape[1] for c in columns)])
    lam = np.zeros((Z.shape[1],) * 2)
    for start, stop, own in zip(starts, starts[1:], lams, strict=False):
        lam[start:stop, start:stop] = np.kron(np.eye((stop - start) // len(own)), own)
    want = lam @ np.linalg.inv(lam.T @ Z.T @ Z @ lam + np.eye(len(lam))) @ lam.T
    _, pairs = blocks(engine_for(problem, "DenseCoupling"))
    for (s, t), own in pairs.items():
        pattern = problem.pairs[s, t]
        ks, kt = own.shape[1:]
        for i, (row, column) in enumerate(zip(pattern.rows, pattern.indices, strict=True)):
            a, b = starts[s] + ks * row, starts[t] + kt * column
            assert own[i] == pytest.approx(want[a : a + ks, b : b + kt], rel=1e-9, abs=1e-12)
