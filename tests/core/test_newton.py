"""The loop of every single search: where it ends and why, on a function whose minimum is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mixedsparse.core.newton.single import Stop, minimise
from mixedsparse.core.newton.trust import trust_step

MINIMUM = np.array([1.0, 1.0])
START = np.array([-1.2, 1.0])


def rosenbrock(x):
    return 100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2


@dataclass(frozen=True)
class At:
    x: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray

    @property
    def finite(self):
        return bool(np.isfinite(self.gradient).all())


class Rosenbrock:
    """Rosenbrock's function; `rough` Hessians are exact only once the search asks for them."""

    def __init__(self, rough=0.0):
        self.nfev, self.noted, self.rough = 0, [], rough

    def place(self, x, rough=0.0):
        a, b = x
        gradient = np.array([-400.0 * a * (b - a**2) - 2.0 * (1.0 - a), 200.0 * (b - a**2)])
        hessian = np.array([[1200.0 * a**2 - 400.0 * b + 2.0 + rough, -400.0 * a], [-400.0 * a, 200.0]])
        return At(x, gradient, hessian)

    def step(self, at, radius):
        return trust_step(at.gradient, at.hessian, radius)

    def note(self, at, step, length):
        self.noted.append((at.x, length))

    def accuracy(self, at):
        return 1e-12, 1e-15

    def is_lost(self, at):
        return False

    def refined(self, at, step, stop):
        exact = self.place(at.x)
        if step.predicted > 1e-12 or (exact.hessian == at.hessian).all():
            return None
        return exact

    def attempt(self, at, step):
        self.nfev += 1
        return at.x + step.move

    def gain(self, at, trial, step):
        return rosenbrock(at.x) - rosenbrock(trial)

    def accept(self, at, trial, step):
        return self.place(trial, self.rough)


def test_a_curved_valley_is_followed_to_its_end():
    objective = Rosenbrock()
    at, step, stop = minimise(objective, objective.place(START), 100)
    assert stop is Stop.CONVERGED
    assert step.predicted <= 1e-12
    np.testing.assert_allclose(at.x, MINIMUM, atol=1e-5)
    # Every point is recorded once, and the criterion falls from each to the next.
    values = [rosenbrock(x) for x, _ in objective.noted]
    assert (np.diff(values) < 0).all()
    assert len(objective.noted) <= objective.nfev + 1


def test_an_end_by_rough_derivatives_is_looked_at_again():
    objective = Rosenbrock(rough=0.5)
    at, _, stop = minimise(objective, objective.place(START, 0.5), 500)
    assert stop is Stop.CONVERGED
    np.testing.assert_array_equal(at.hessian, objective.place(at.x).hessian)
    # The same point known better is no new line of the record.
    assert len({tuple(x) for x, _ in objective.noted}) == len(objective.noted)


def test_the_limit_on_evaluations_holds():
    objective = Rosenbrock()
    at, _, stop = minimise(objective, objective.place(START), 3)
    assert (stop, objective.nfev) == (Stop.MAX_EVALS, 3)
    assert rosenbrock(at.x) < rosenbrock(START)


def test_derivatives_that_mislead_end_without_progress():
    class Wrong(Rosenbrock):
        def step(self, at, radius):
            return trust_step(-at.gradient, at.hessian, radius)

    objective = Wrong()
    at, step, stop = minimise(objective, objective.place(START), 500)
    assert stop is Stop.NO_PROGRESS
    assert step.limited
    np.testing.assert_array_equal(at.x, START)


def test_what_cannot_be_evaluated_is_stepped_over():
    class Half(Rosenbrock):
        def attempt(self, at, step):
            trial = super().attempt(at, step)
            return trial if trial[1] < 1.5 and self.nfev != 1 else None

    objective = Half()
    at, _, stop = minimise(objective, objective.place(START), 200)
    assert stop is Stop.CONVERGED
    np.testing.assert_allclose(at.x, MINIMUM, atol=1e-5)


def test_derivatives_that_are_not_finite_end_the_search():
    class Broken(Rosenbrock):
        def accept(self, at, trial, step):
            return At(trial, np.array([np.nan, 0.0]), np.eye(2))

    objective = Broken()
    assert minimise(objective, objective.place(START), 100)[2] is Stop.NOT_FINITE


@pytest.mark.parametrize("interruptible", [True, False])
def test_an_interrupt_ends_at_the_best_point_or_is_raised(interruptible):
    class Stopped(Rosenbrock):
        def attempt(self, at, step):
            if self.nfev == 4:
                raise KeyboardInterrupt
            return super().attempt(at, step)

    objective = Stopped()
    if not interruptible:
        with pytest.raises(KeyboardInterrupt):
            minimise(objective, objective.place(START), 100)
        return
    at, _, stop = minimise(objective, objective.place(START), 100, interruptible=True)
    assert stop is Stop.INTERRUPTED
    np.testing.assert_array_equal(at.x, objective.noted[-1][0])
