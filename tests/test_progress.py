"""Progress: a bar or plain lines, when there is somebody to see them and something to wait for."""

from __future__ import annotations

import io
import sys

import pytest

import mixedsparse as ms
from mixedsparse.ground import progress
from mixedsparse.ground.progress import Iteration, counter, reporter


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(progress, "_somebody_watches", lambda: True)


@pytest.fixture(params=["bar", "lines"])
def display(request, monkeypatch):
    """With tqdm, and without."""
    if request.param == "bar":
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    return request.param


def line(nfev: int, gradient: float, criterion: float = 12.5) -> Iteration:
    return Iteration(number=nfev - 1, nfev=nfev, criterion=criterion, gradient=gradient, step=0.1)


def test_quick_work_is_not_shown(clock, terminal, display, capsys):
    with counter(None, "work") as tell:
        for done in range(1, 5):
            clock[0] = 0.4 * done
            tell(done, 4)
    assert capsys.readouterr() == ("", "")


def test_long_work_is_shown_on_a_terminal(clock, terminal, display, capsys):
    with counter(None, "work") as tell:
        for done in range(1, 5):
            clock[0] = 2.0 * done
            tell(done, 4)
    out, err = capsys.readouterr()
    assert out == ""
    assert "work:" in err
    if display == "lines":
        assert err.splitlines()[0] == "work: 1 of 4, 2 seconds, about 6 seconds left"
        assert err.splitlines()[-1] == "work: 4 of 4, 8 seconds"


def test_what_is_foreseen_to_be_long_is_shown_at_once(clock, terminal, display, capsys):
    with counter(None, "work", expected=30.0) as tell:
        tell(0, 4)
        assert "work:" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [None, False])
def test_nothing_is_shown_where_nobody_watches(asked, clock, display, capsys, monkeypatch):
    monkeypatch.setattr(progress, "_somebody_watches", lambda: asked is False)
    with counter(asked, "work", expected=30.0) as tell:
        clock[0] = 10.0
        tell(1, 2)
    assert capsys.readouterr() == ("", "")


def test_lines_keep_their_distance(clock, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with counter(True, "work") as tell:
        for done in range(1, 101):
            clock[0] = 0.1 * done
            tell(done, 100)
    assert len(capsys.readouterr().err.splitlines()) == 5


def test_a_search_says_how_much_is_left(clock, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with reporter(True, evaluations=10, expected=60.0) as note:
        for nfev, gradient in ((1, 50.0), (2, 0.5), (3, 1e-5)):
            clock[0] += 6.0
            note(line(nfev, gradient))
    assert capsys.readouterr().err.splitlines() == [
        "fit: 0 of 10, 0.0 seconds",
        "fit: 1 of 10, 6 seconds, about 54 seconds left; criterion 12.5000, gradient 5.0e+01",
        "fit: 2 of 5, 12 seconds, about 18 seconds left; criterion 12.5000, gradient 5.0e-01",
        "fit: 3 of 4, 18 seconds, about 6 seconds left; criterion 12.5000, gradient 1.0e-05",
    ]


def test_a_criterion_that_is_not_computed_is_not_shown(clock, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with reporter(True) as note:
        clock[0] = 5.0
        note(line(1, 2.0, criterion=float("nan")))
    assert capsys.readouterr().err.endswith("left; gradient 2.0e+00\n")


def test_quick_fits_do_not_even_look_for_the_bar(terminal, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(progress._Display, "_print", lambda *_: pytest.fail("progress was shown"))
    ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))


def test_functions_are_called():
    seen = []
    with counter(lambda done, total: seen.append((done, total)), "work") as tell:
        tell(1, 2)
    with reporter(seen.append) as note:
        note(line(1, 1.0))
    assert seen == [(1, 2), line(1, 1.0)]


@pytest.mark.parametrize("module", ["ipykernel.iostream", "io"])
def test_a_notebook_is_watched_though_it_is_no_terminal(module, monkeypatch):
    stream = type("OutStream", (io.StringIO,), {"__module__": module})()
    monkeypatch.setattr(sys, "stderr", stream)
    assert not stream.isatty()
    assert progress._somebody_watches() is (module == "ipykernel.iostream")
    monkeypatch.setattr(sys, "stderr", None)
    assert not progress._somebody_watches()


def test_the_environment_hides_what_is_not_asked_for(monkeypatch):
    stream = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("MIXEDSPARSE_PROGRESS", "0")
    assert not progress._somebody_watches()
    with counter(True, "work") as tell:
        tell(1, 2)
    assert "work" in stream.getvalue()
    monkeypatch.setenv("MIXEDSPARSE_PROGRESS", "1")
    assert progress._somebody_watches()


@pytest.mark.parametrize(("asked", "said"), [(True, 1), (None, 1), (False, 0), (lambda done, total: None, 0)])
def test_compiling_is_announced_once_where_progress_is_shown(asked, said, terminal, display, capsys):
    numba = pytest.importorskip("numba")
    from mixedsparse.core.compiled.told import TEXT

    def loop(number):
        return number + 1

    loop.__module__ = "mixedsparse.made_up"
    compiled = numba.njit(loop)
    with counter(asked, "fit"):
        assert (compiled(1), compiled(1.5)) == (2, 2.5)  # two signatures
    assert capsys.readouterr().err.count(f"fit: {TEXT}") == said


def test_what_others_compile_is_not_announced(display, capsys):
    numba = pytest.importorskip("numba")
    import mixedsparse.core.compiled  # noqa: F401

    with counter(True, "fit"):
        assert numba.njit(lambda number: number + 1)(1) == 2
    assert capsys.readouterr().err == ""
