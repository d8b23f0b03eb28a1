"""The row of results of a crossed problem, and the process that finds it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date
from typing import Any

from benchmarks.shared.records import cores, machine
from benchmarks.shared.workers import Worker, WorkerError

__all__ = ["LimitRow", "make_row", "measure"]


@dataclass(frozen=True, kw_only=True)
class LimitRow:
    """Median seconds of one crossed problem; `error` says why there are none.

    Parameters
    ----------
    date, machine : str
    cores, threads : int
        Logical processors of the machine, threads allowed.
    problem : str
    n, q, rest, n_theta : int
        Rows, random effects, order of the Schur complement, covariance parameters.
    backend : str
        Engine that was chosen.
    rounds, evaluations : int
        Rounds that the medians are over; evaluations of one fit.
    potrf, potri, cross_products : float
        The kernels of the floor (see `floor`).
    form : str
        Quicker form of the pass over the cross-products, ``loop`` or ``syrk``.
    value, gradient, hessian : float
        One evaluation of the criterion alone, with gradient, with gradient and Hessian.
    fit, call : float
        ``model.fit()``, and ``lmer(formula, data)``.
    """

    date: str
    machine: str
    cores: int
    threads: int
    problem: str
    n: int | None = None
    q: int | None = None
    rest: int | None = None
    n_theta: int | None = None
    backend: str | None = None
    rounds: int | None = None
    evaluations: int | None = None
    potrf: float | None = None
    potri: float | None = None
    cross_products: float | None = None
    form: str | None = None
    value: float | None = None
    gradient: float | None = None
    hessian: float | None = None
    fit: float | None = None
    call: float | None = None
    error: str | None = None

    @property
    def floor(self) -> float:
        """Seconds of the kernels that cannot be avoided."""
        assert self.potrf is not None
        assert self.potri is not None
        assert self.cross_products is not None
        return self.potrf + self.potri + self.cross_products


def measure(name: str, threads: int, rounds: int, budget: float) -> LimitRow:
    """Return the row of one problem, measured in a new process; `worker.measure` has the parameters."""
    command = [sys.executable, "-m", "benchmarks.limits.worker", name, str(rounds), str(budget)]
    try:
        with Worker(command, threads=threads) as worker:
            return make_row(name, threads, worker.answer())
    except WorkerError as err:
        return make_row(name, threads, {"error": str(err)})


def make_row(name: str, threads: int, found: dict[str, Any]) -> LimitRow:
    """Make a row from what the worker found: of the two forms of the pass the quicker one."""
    head: dict[str, Any] = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "cores": cores(),
        "threads": threads,
        "problem": name,
    }
    if "error" in found:
        return LimitRow(**head, error=found["error"])
    seconds = dict(found["seconds"])
    forms = {key: seconds.pop(key) for key in list(seconds) if key.startswith("pass")}
    quicker = min(forms, key=lambda key: forms[key])
    sizes = {key: value for key, value in found.items() if key != "seconds"}
    form = quicker.removeprefix("pass (").removesuffix(")")
    return LimitRow(**head, **sizes, **seconds, cross_products=forms[quicker], form=form)
