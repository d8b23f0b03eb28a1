"""Every code block and command of the README is executed; the output that it shows is the output there is.

``python -m tests.test_readme`` writes the output into the README anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mixedsparse as ms
from mixedsparse.ground.errors import MixedSparseWarning

README = Path(__file__).resolve().parent.parent / "README.md"
OUTPUT = re.compile(r"(<!-- output: begin -->\n```text\n)(.*?)(```\n<!-- output: end -->)", re.DOTALL)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@contextlib.contextmanager
def empty_folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def run_blocks() -> str:
    """Run the Python blocks in one namespace and an empty folder, as a reader would, and return what they print."""
    printed = io.StringIO()
    namespace: dict[str, object] = {}
    with empty_folder(), contextlib.redirect_stdout(printed), warnings.catch_warnings():
        # What a reader would be told, of singular and refitted models, is not an error here.
        warnings.simplefilter("ignore", MixedSparseWarning)
        for number, code in enumerate(blocks("python"), start=1):
            exec(compile(code, f"README block {number}", "exec"), namespace)
    return printed.getvalue()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::(distributed|tornado|asyncio)")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_blocks_for_a_cluster_run():
    distributed = pytest.importorskip("distributed")
    (code,) = blocks("python cluster")
    fit = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    namespace: dict[str, Any] = {"slopes": fit, "distributed": distributed}
    exec(compile(code, "README block for a cluster", "exec"), namespace)
    pd.testing.assert_frame_equal(namespace["replicates"].table, fit.bootstrap(200, seed=1).table)


@pytest.mark.slow
def test_python_blocks_run_and_print_what_is_shown():
    shown = OUTPUT.search(README.read_text(encoding="utf-8"))
    assert shown is not None
    assert run_blocks() == shown.group(2)


def make_targets(page: str) -> list[str]:
    """Targets that code names, in blocks and in spans; "to make sure" of the text is none."""
    pieces = re.findall(r"^```.*?^```$|`[^`\n]+`", page, re.DOTALL | re.MULTILINE)
    return sorted({target for code in pieces for target in re.findall(r"(?:^|`)make ([a-z-]+)", code, re.MULTILINE)})


def test_targets_are_those_of_code():
    page = "to make sure\n```console\nmake demo  # make it\n```\nthen `make test-fast`, or `x`; make `y`"
    assert make_targets(page) == ["demo", "test-fast"]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("target", make_targets(README.read_text(encoding="utf-8")))
def test_make_targets_exist(target):
    done = subprocess.run(["make", "-n", target], cwd=README.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_links_to_files_lead_somewhere():
    for path in re.findall(r"\]\((?!http|#)([^)]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / path).exists(), path


if __name__ == "__main__":
    text = README.read_text(encoding="utf-8")
    output = run_blocks()
    README.write_text(OUTPUT.sub(lambda found: found.group(1) + output + found.group(3), text), encoding="utf-8")
