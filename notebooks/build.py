"""Execute the notebooks and store them without what changes from run to run.

    python -m notebooks.build              # all, in place
    python -m notebooks.build 01 gallery   # those whose names begin so

Stored are sources, outputs and nothing else: no times, no bars, no machine's paths, no versions. So the same code on
the same libraries stores the same file, however slow the machine is.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Notebooks that take more than some seconds: `make test-fast` leaves them out.
SLOW = frozenset(
    {
        "02_crossed_psycholinguistics",
        "03_nested_and_crossed",
        "04_longitudinal_growth",
        "05_large_data",
        "06_for_lme4_users",
        "08_power",
        "09_limitations",
        "10_accuracy",
        "11_for_glmer_users",
        "14_from_trials_to_word",
        "15_many_responses",
    }
)
CELL_SECONDS = 600
# Where ipykernel says that a warning came from: a temporary file of the process.
_KERNEL_FILE = re.compile(r"\S*ipykernel_\d+\S*:\d+: ")
# What progress leaves: lines written over, and the word that loops are compiled, which they are once.
_ERASED = re.compile(r"[^\n]*\r|\w+: compiling loops [^\n]*\n")


def names() -> list[str]:
    """Names of the notebooks, without suffix."""
    return sorted(path.stem for path in HERE.glob("*.ipynb"))


def read(name: str) -> Any:
    """Read a stored notebook."""
    import nbformat

    return nbformat.read(HERE / f"{name}.ipynb", as_version=4)


def execute(name: str) -> Any:
    """Run every cell of a notebook in a new kernel; return it with new outputs, cleaned. A cell's error is raised."""
    from nbclient import NotebookClient

    notebook = read(name)
    # One thread, because the last digits of a threaded sum differ from run to run.
    environment = os.environ | {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "NUMBA")}
    environment.pop("MPLBACKEND", None)  # the kernel's own draws into the notebook
    environment["MIXEDSPARSE_PROGRESS"] = "0"  # bars appear, and say what they say, by the clock
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        record_timing=False,
        coalesce_streams=True,
    )
    client.execute(env=environment)
    return clean(notebook)


def clean(notebook: Any) -> Any:
    """Strip a notebook of all that differs between runs and machines; changes and returns it."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number}"
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = _KERNEL_FILE.sub("", _ERASED.sub("", output.text))
            else:
                output.metadata = {}
        if "outputs" in cell:  # what a progress bar leaves where a call took long
            cell.outputs = [output for output in cell.outputs if output.output_type != "stream" or output.text.strip()]
    return notebook


def texts(notebook: Any, kinds: tuple[str, ...] = ("stdout", "text/plain")) -> Iterator[str]:
    """Texts that the cells of a notebook show, cell by cell."""
    for cell in notebook.cells:
        shown = []
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                shown += [output.text] * (output.name in kinds)
            else:
                shown += [text for kind, text in output.data.items() if kind in kinds]
        yield "\n".join(shown)


def main(prefixes: list[str]) -> None:
    """Execute and store the notebooks whose names begin with one of `prefixes`, or all."""
    import nbformat

    for name in names():
        if not prefixes or name.startswith(tuple(prefixes)):
            print(f"notebooks/{name}.ipynb", flush=True)
            nbformat.write(execute(name), HERE / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
