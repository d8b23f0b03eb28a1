"""The gallery notebook runs, shows every plot, and is stored with its outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mixedsparse.api.results.plots import MixedPlots

pyplot = pytest.importorskip("matplotlib.pyplot")

PATH = Path(__file__).resolve().parents[2] / "notebooks" / "gallery.ipynb"
CODE = [cell for cell in json.loads(PATH.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
SOURCES = ["".join(cell["source"]) for cell in CODE]


@pytest.mark.slow
def test_cells_run_from_top_to_bottom():
    names: dict[str, object] = {"__name__": "__main__"}
    with pyplot.rc_context():
        for source in SOURCES:
            exec(compile(source, "gallery.ipynb", "exec"), names)
            for number in pyplot.get_fignums():
                pyplot.figure(number).canvas.draw()
            pyplot.close("all")


def test_every_plot_is_shown():
    shown = "\n".join(SOURCES)
    missing = [name for name in dir(MixedPlots) if not name.startswith("_") and f".plot.{name}(" not in shown]
    assert not missing


def test_outputs_are_stored():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell, source in zip(CODE, SOURCES, strict=True):
        kinds = {output["output_type"] for output in cell["outputs"]}
        assert kinds <= {"display_data", "execute_result"}, f"errors or warnings below: {source}"
        drawn = any("image/png" in output["data"] for output in cell["outputs"])
        assert drawn == (re.search(r"\.plot[.(]", source) is not None), source
    assert PATH.stat().st_size < 2_500_000
