"""The loop of a worker in Python: data in memory, a greeting, then one timed call for every line of its input.

Runs in a rival's environment: needs only pandas.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.shared.memory import peak_mb, reset_peak

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Clocked", "Order", "Spell", "plainly", "serve_calls"]

Spell = Callable[[str, "pd.DataFrame"], tuple[Any, Any]]


@dataclass(frozen=True)
class Clocked:
    """What a call took: wall and processor seconds, and the highest memory so far."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Order:
    """What a line of the input has done: the whole timed `call`, of what `Spell` returns, and the dataclass that
    `reply` makes of what the call returned and took."""

    call: Callable[[Any, Any], Any]
    reply: Callable[[Any, Clocked], Any]


def plainly(formula: str, frame: pd.DataFrame) -> tuple[Any, Any]:
    """Formula and data frame as they are."""
    return formula, frame


def serve_calls(
    data: Path,
    factors: Sequence[str],
    formula: str,
    version: str,
    spell: Spell,
    orders: Mapping[str, Order],
) -> None:
    """Serve the lines of standard input.

    Parameters
    ----------
    data : Path
        CSV file.
    factors : sequence of str
        Columns to read as categories.
    formula, version : str
        Of the model; of the engine, for the results.
    spell : callable
        What the engine takes in place of formula and data frame. Not timed.
    orders : mapping of str to Order
        By the lines that ask for them.
    """
    import pandas as pd

    warnings.simplefilter("ignore")
    frame = pd.read_csv(data, dtype=dict.fromkeys(factors, "category"))
    model, given = spell(formula, frame)
    n = len(frame)
    del frame
    reset_peak()  # forgets the memory that reading the data took; outside Linux the peak includes it
    _answer({"version": f"{version} (Python {sys.version.split()[0]})", "n": n})
    for line in sys.stdin:
        order = orders.get(line.strip())
        if order is not None:
            try:
                found, clocked = _timed(order.call, model, given)
                _answer(asdict(order.reply(found, clocked)))
            except Exception as err:  # any failure of an engine is a result
                _answer({"error": f"{type(err).__name__}: {err}"})


def _timed(call: Callable[[Any, Any], Any], model: Any, given: Any) -> tuple[Any, Clocked]:
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    found = call(model, given)
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    return found, Clocked(seconds, cpu_seconds, peak_mb())


def _answer(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)
