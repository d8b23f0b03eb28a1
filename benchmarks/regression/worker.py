"""Run a task of `compare` on the package that PYTHONPATH names: ``worker.py JSON MODE ...``.

With MODE ``clock`` it times as many calls as each line of its input says, and prints the seconds per call as JSON.
Otherwise MODE is a counter of instructions, which it switches on for as many calls as the next argument says; the pipes
for orders to the counter and for its answers come last. It imports nothing of the benchmarks, so that commits without
them can be measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

# Compiled code and caches are warm after this many calls.
WARM = 3


def main(arguments: list[str]) -> int:
    """Set the task up, warm it, measure it."""
    job, mode, *rest = arguments
    code = json.loads(job)
    scope: dict[str, object] = {}
    exec(code["setup"], scope)
    statement = compile(code["statement"], "<statement>", "exec")

    def run(calls: int) -> None:
        for _ in range(calls):
            exec(statement, scope)

    run(WARM)
    if mode == "clock":
        for line in sys.stdin:
            calls = int(line)
            start = time.perf_counter()
            run(calls)
            print(json.dumps({"seconds": (time.perf_counter() - start) / calls}), flush=True)
        return 0
    calls, orders, answers = int(rest[0]), Path(rest[1]), Path(rest[2])
    switch(mode, orders, answers, on=True)
    run(calls)
    switch(mode, orders, answers, on=False)
    return 0


def switch(counter: str, orders: Path, answers: Path, *, on: bool) -> None:
    """Switch the counter that watches this process, and wait until it is done."""
    if counter == "perf":
        orders.write_text("enable\n" if on else "disable\n", encoding="ascii")
        with answers.open(encoding="ascii") as file:
            file.readline()
        return
    state = "on" if on else "off"
    subprocess.run(["callgrind_control", f"--instr={state}", str(os.getpid())], check=True, capture_output=True)


if __name__ == "__main__":
    del sys.path[0]  # this folder: its modules must not hide anybody's
    sys.exit(main(sys.argv[1:]))
