"""The cost that is foreseen: counts against factors, the factor that fills in, and the one place that chooses."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.core.choose import memory
from mixedsparse.core.choose import plan as cost
from mixedsparse.core.choose.elimination import _LOOPS_BYTES, Elimination, counts_by_size, density
from mixedsparse.core.choose.make import make_engine
from mixedsparse.core.choose.plan import foresee, plan
from mixedsparse.core.engines.cholmod import cholmod
from mixedsparse.core.engines.cholmod.engine import CholmodEngine
from mixedsparse.core.engines.split.coupling import SparseCoupling
from mixedsparse.core.engines.split.engine import SplitEngine
from mixedsparse.core.likelihood.derivatives import differentiate
from mixedsparse.core.likelihood.pls import solve_pls
from mixedsparse.core.problem.problem import Problem, make_problem
from mixedsparse.ground.limits import Limits
from mixedsparse.report.cost import CostReport
from tests.models import DESIGNS, make

needs_cholmod = pytest.mark.skipif(not cholmod.available(), reason="scikit-sparse is not installed")
GIB = 2.0**30


def term(group: str, codes: np.ndarray) -> ms.RandomTerm:
    _, codes = np.unique(codes, return_inverse=True)
    return ms.RandomTerm(group, codes, np.ones(len(codes)))


def problem(**groups: np.ndarray) -> Problem:
    n = len(next(iter(groups.values())))
    y = np.random.default_rng(0).normal(size=n)
    return make_problem(y, np.ones((n, 1)), [term(name, codes) for name, codes in groups.items()])


def crossed(n: int, users: int, items: int, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    return problem(user=rng.integers(0, users, n), item=rng.integers(0, items, n))


def nested() -> Problem:
    rows = np.arange(12_000)
    return problem(pupil=rows // 2, school=rows // 80, room=rows // 6)


@needs_cholmod
@pytest.mark.parametrize("name", DESIGNS)
def test_counts_of_cholmod_are_those_of_its_factor(name):
    engine = CholmodEngine(make(name, seed=2).problem())
    factor = engine.column_counts()
    engine.limits = Limits(counted=-1)
    symbolic = engine.column_counts()
    # CHOLMOD merges columns of nearly the same pattern, at the price of some zeros.
    assert symbolic.sum() <= factor.sum() <= 1.5 * symbolic.sum() + 200
    engine.refill([np.eye(k) for k in engine.problem.layout.widths])
    matrix = engine.cholesky.lower_factor()
    assert (np.abs(matrix).toarray() > 0).sum() <= symbolic.sum()


@needs_cholmod
def test_factors_by_columns_and_in_blocks_are_the_same(monkeypatch):
    made = crossed(400, 60, 40)
    found = []
    for in_blocks in (False, True):
        monkeypatch.setattr(cholmod, "_blocks_pay", lambda counts, answer=in_blocks: answer)
        engine = CholmodEngine(made)
        engine.refill([np.full((1, 1), 0.7), np.full((1, 1), 1.3)])
        assert engine.cholesky.in_blocks is in_blocks
        found.append((engine.cholesky.logdet, engine.cholesky.solve(np.arange(100.0)[:, None])))
        if not in_blocks:  # then what is counted is what is stored
            stored = np.diff(engine.cholesky.lower_factor().indptr)
            np.testing.assert_array_equal(engine.column_counts(), stored)
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-13)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-10, atol=1e-12)


def test_columns_go_in_blocks_where_blocks_are_wide():
    alone = np.full(11_000, 3)  # pupils with two teachers each, one column a block
    corner = np.arange(350, 0, -1)  # teachers and schools, one block
    assert not cholmod._blocks_pay(np.concatenate([alone, corner]))
    assert cholmod._blocks_pay(np.arange(2_000, 0, -1))


@pytest.mark.parametrize("name", DESIGNS)
def test_elimination_by_size_bounds_the_factor(name):
    small = make(name, seed=2).problem()
    nnz, _ = cost.totals(*counts_by_size(small))
    first = Elimination.of(small)
    assert first.rest == small.layout.q - first.sizes[first.first]
    # The split eliminates in the same order, and takes the rest as full.
    split = next(c for c in foresee(small).candidates if c.name == "split")
    assert nnz <= split.nnz + first.rest


def test_fill_is_measured_on_the_schur_complement():
    sparse = crossed(4000, 3000, 1000)
    met = np.zeros((3000, 1000))
    pairs = sparse.pairs[0, 1]
    met[pairs.rows, pairs.indices] = 1.0
    assert density(sparse, 0) == pytest.approx((met.T @ met > 0).mean(), rel=0.3)
    assert density(crossed(20_000, 400, 300), 0) == 1.0


def test_the_factor_that_fills_in_is_named():
    found = foresee(crossed(20_000, 2000, 700))
    assert (found.eliminated, found.fills, found.rest) == ("user", "item", 700)
    assert (found.n, found.p, found.q, found.m) == (20_000, 1, 2700, 2)
    assert found.method == "direct"
    assert found.seconds == found.chosen.seconds > 0
    assert found.memory == found.chosen.memory > 8 * 700**2


def test_one_factor_costs_next_to_nothing():
    found = foresee(problem(only=np.arange(3000) // 3))
    assert found.backend == "split"
    assert found.memory == 0
    assert found.reason == "only is the only grouping factor: nothing fills in."
    assert [c.name for c in found.candidates] == ["split"]


@needs_cholmod
def test_nested_chains_stay_sparse():
    chosen = plan(nested())
    assert chosen.cost.backend == "cholmod"
    assert "stays sparse" in chosen.cost.reason
    # What was analysed to foresee the cost is what fits.
    assert isinstance(chosen.engine, CholmodEngine)


@needs_cholmod
def test_a_bound_takes_the_place_of_the_analysis_where_that_is_long():
    few = Limits(analysed=100)
    chosen = plan(nested(), limits=few)
    assert chosen.engine is None
    assert chosen.cost.backend == "cholmod"
    assert not chosen.cost.chosen.counted
    counted = plan(nested(), method="direct", limits=few).cost.chosen
    assert counted.counted
    assert counted.nnz <= chosen.cost.chosen.nnz


@needs_cholmod
def test_what_does_not_fit_comes_last():
    chain = nested()
    small = foresee(chain)
    assert small.backend == "cholmod"
    # Just less than CHOLMOD takes: the split takes more still.
    with pytest.raises(ms.BackendError, match=r"backend='(split|cholmod)'"):
        foresee(chain, method="direct", limits=Limits(memory=0.9 * small.memory))


@needs_cholmod
def test_an_iterative_fit_that_is_asked_for_needs_no_analysis(monkeypatch):
    monkeypatch.setattr(CholmodEngine, "__init__", lambda *_: pytest.fail("the pattern was analysed"))
    found = foresee(nested(), method="iterative")
    assert (found.method, found.reason) == ("iterative", "It was asked for.")


def test_dense_rests_are_split():
    found = foresee(crossed(60_000, 2000, 600))
    assert found.backend == "split"
    assert isinstance(make_engine(crossed(60_000, 2000, 600)), SplitEngine)


def test_iterative_where_memory_is_short():
    found = foresee(crossed(20_000, 2000, 700), limits=Limits(memory=9e6))
    assert found.method == found.backend == "iterative"
    assert found.reason.startswith("Eliminating user leaves 700 random effects, most of them of item, which fill in.")
    assert "12 MiB of memory, and 9 MiB are available" in found.reason


def test_iterative_where_a_direct_fit_takes_long():
    big = crossed(20_000, 2000, 700)
    assert foresee(big).method == "direct"
    soon = foresee(big, limits=Limits(patience=1e6, worth_it=0.01))
    assert soon.method == "iterative"
    assert "A direct fit would take about" in soon.reason
    # Not for a gain that is no gain.
    assert foresee(big, limits=Limits(patience=1e6, worth_it=1e9)).method == "direct"


def test_a_long_direct_fit_that_fits_is_not_given_up_for_an_iterative_one_that_does_not():
    wide = crossed(20_000, 20_000, 700)
    soon = Limits(patience=1e6, worth_it=1e-9, side_bytes=100)
    found = foresee(wide, limits=soon).candidates
    direct, iterative = (next(c for c in found if c.name == name) for name in ("split", "iterative"))
    assert direct.memory < iterative.memory
    assert foresee(wide, limits=soon).method == "iterative"
    between = 0.5 * (direct.memory + iterative.memory)
    assert foresee(wide, limits=replace(soon, memory=between)).method == "direct"


@needs_cholmod
def test_a_factor_that_cannot_be_counted_is_told_in_bytes():
    found = foresee(nested(), limits=Limits(largest_index=10.0, memory=1e12))
    assert found.backend != "cholmod"
    assert all(np.isfinite(c.memory) for c in found.candidates)


def test_columns_of_x_count_in_the_memory_of_an_iterative_fit():
    one = crossed(2000, 600, 500)
    many = make_problem(
        np.random.default_rng(0).normal(size=2000), np.random.default_rng(1).normal(size=(2000, 300)), one.terms
    )
    few, most = (next(c for c in foresee(p).candidates if c.name == "iterative").memory for p in (one, many))
    assert most > 3 * few


def test_direct_is_refused_before_it_is_allocated(monkeypatch):
    monkeypatch.setattr(SplitEngine, "__init__", lambda *_: pytest.fail("the engine was made"))
    text = (
        r"Eliminating user leaves 700 random effects, most of them of item, which fill in\. A direct fit .* would take "
        r"about .* MiB of memory, and 977 KiB are available: use method='iterative'"
    )
    with pytest.raises(ms.BackendError, match=text):
        make_engine(crossed(20_000, 2000, 700), limits=Limits(memory=1e6))


@needs_cholmod
def test_cholmod_is_the_mend_where_it_stays_sparse():
    limits = Limits(memory=64 * 2.0**20)
    with pytest.raises(ms.BackendError, match="use backend='cholmod', which keeps it sparse"):
        foresee(nested(), "split", limits=limits)
    assert foresee(nested(), "cholmod", limits=limits).backend == "cholmod"


def test_without_cholmod_that_is_named_as_well(monkeypatch):
    monkeypatch.setattr(cholmod, "available", lambda: False)
    limits = Limits(memory=5e7)
    with pytest.raises(ms.BackendError, match=r"install mixedsparse\[cholmod\], which may keep it sparse; or remove"):
        foresee(nested(), method="direct", limits=limits)
    assert foresee(nested(), limits=limits).method == "iterative"


@pytest.mark.parametrize("method", ["auto", "iterative"])
def test_what_fits_by_no_method_is_refused_too(method):
    with pytest.raises(ms.BackendError, match=r"Even the iterative method would take about 2 MiB .* for 2,700"):
        make_engine(crossed(20_000, 2000, 700), method=method, limits=Limits(memory=1e6))


def test_lists_of_pairs_on_disk_are_foreseen():
    made = crossed(20_000, 2000, 700)
    here, there = (foresee(made, method="iterative", limits=Limits(mapped=most)) for most in (1e9, 0))
    size = 4 * len(made.pairs[0, 1].indices)
    assert (here.disk, there.disk) == (0, size)
    assert here.memory - there.memory == size
    assert "on disk" not in repr(CostReport.of(here))
    assert f"{memory.memory_text(size)} on disk" in repr(CostReport.of(there))


def test_a_choice_rests_on_counts_and_never_on_a_clock():
    slow = foresee(crossed(20_000, 2000, 700))
    other = foresee(crossed(20_000, 2000, 700), limits=Limits(unit_seconds=1.0))
    assert (slow.backend, slow.reason) == (other.backend, other.reason)
    assert other.seconds > 1e6 * slow.seconds


def test_small_models_are_not_foreseen(monkeypatch):
    monkeypatch.setattr(cost, "plan", lambda *_: pytest.fail("a small model was foreseen"))
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    assert fit.solver == "direct"


def test_available_memory_has_one_home():
    assert cost.available_memory is memory.available_memory


def test_the_report_is_readable():
    model = ms.LinearMixedModel("diameter ~ 1 + (1 | plate) + (1 | sample)", ms.datasets.load("Penicillin"))
    report = model.cost()
    assert report.method == "direct"
    assert list(report.table.index) == ["split", "iterative"]
    columns = "nnz flops memory disk evaluations seconds counted chosen"
    assert list(report.table.columns) == columns.split()
    assert report.table["chosen"].tolist() == [True, False]
    first, *_, last = repr(report).splitlines()
    assert first == "144 observations, 30 random effects, 2 covariance parameters"
    assert last == "Method: direct (split). Eliminating plate leaves 6 random effects, a small dense system."


@needs_cholmod
@pytest.mark.parametrize("backend", ["auto", "split", "cholmod"])
def test_what_is_hopeless_is_refused_before_cholmod_looks_for_an_order(monkeypatch, backend):
    def analysed(*_):
        raise AssertionError("CHOLMOD was asked")

    monkeypatch.setattr(cost, "CholmodEngine", analysed)
    with pytest.raises(ms.BackendError, match=r"user leaves 1,473 random effects.*method='iterative'"):
        plan(crossed(6000, 2000, 1500), backend, "direct", Limits(analysed=0.0, memory=2e6))


@pytest.mark.parametrize(("users", "items"), [(1500, 500), (400, 300)])
def test_memory_with_slopes(users, items):
    rng = np.random.default_rng(0)
    n = 40_000
    user, item, x = rng.integers(0, users, n), rng.integers(0, items, n), rng.normal(size=n)
    terms = [ms.RandomTerm("user", user, np.column_stack([np.ones(n), x])), ms.RandomTerm("item", item, np.ones(n))]
    made = make_problem(rng.normal(size=n) + x, np.ones((n, 1)), terms)
    candidate = foresee(made, "split").chosen
    engine = SplitEngine(made)
    differentiate(engine, solve_pls(made, engine.factorize([np.eye(2), np.eye(1)]), True))  # loads compiled loops
    tracemalloc.start()
    engine = SplitEngine(made)
    pls = solve_pls(made, engine.factorize([np.eye(2), np.eye(1)]), True)
    differentiate(engine, pls)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    loops = _LOOPS_BYTES * (type(engine.coupling) is SparseCoupling)
    assert taken + loops < 1.5 * candidate.memory < 1.5**2 * (taken + loops)
