"""What a type checker says of scripts that users write: nothing of a right one, every mistake of a wrong one."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mixedsparse

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MYPY = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", "--cache-dir"]
PYRIGHT = Path(sys.executable).parent / "basedpyright"


def mypy(script: str, tmp_path: Path) -> str:
    call = [*MYPY, str(tmp_path / "cache"), str(HERE / script)]
    return subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False).stdout


def pyright(script: str) -> str:
    call = [str(PYRIGHT), "--level", "error", "--pythonpath", sys.executable, str(HERE / script)]
    return subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False).stdout


def lines_with_errors(output: str, script: str) -> set[int]:
    return {int(found) for found in re.findall(rf"{re.escape(script)}:(\d+):.*error", output)}


def wrong_lines() -> set[int]:
    lines = (HERE / "wrong.py").read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}


def test_the_package_says_that_it_is_typed():
    assert (Path(mixedsparse.__file__).parent / "py.typed").exists()


@pytest.mark.slow
def test_mypy_finds_nothing_in_a_right_script_and_every_mistake_of_a_wrong_one(tmp_path):
    assert "Success" in mypy("session.py", tmp_path)
    assert lines_with_errors(mypy("wrong.py", tmp_path), "wrong.py") == wrong_lines()


@pytest.mark.slow
def test_pyright_finds_nothing_in_a_right_script_and_every_mistake_of_a_wrong_one():
    if not PYRIGHT.exists() and shutil.which("basedpyright") is None:
        pytest.skip("needs basedpyright")
    assert "0 errors" in pyright("session.py")
    assert lines_with_errors(pyright("wrong.py"), "wrong.py") == wrong_lines()


@pytest.mark.filterwarnings("ignore::mixedsparse.MixedSparseWarning")
def test_the_script_runs():
    pytest.importorskip("matplotlib").use("agg")
    runpy.run_path(str(HERE / "session.py"), run_name="__main__")
