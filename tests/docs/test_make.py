"""The Makefile's promises that can be kept without setting anything up."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# One file below each pattern that git ignores.
MADE = (
    ".venv/bin/python",
    "benchmarks/.venvs/lme4/bin/python",
    "benchmarks/results/quick.csv",
    "benchmarks/results/latest.csv.partial",
    "mixedsparse/core/__pycache__/a.cpython-312.pyc",
    "mixedsparse/loose.pyc",
    "mixedsparse/kernel.nbi",
    "mixedsparse/kernel.1.nbc",
    "mixedsparse.egg-info/PKG-INFO",
    "build/lib/a.py",
    "docs/_build/index.html",
    "dist/a.whl",
    ".pytest_cache/a",
    ".ruff_cache/a",
    ".mypy_cache/a",
    "notebooks/.ipynb_checkpoints/01.ipynb",
)
KEPT = ("mixedsparse/a.py", "benchmarks/results/latest.csv", "notebooks/01.ipynb")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_clean_removes_all_that_git_ignores_and_nothing_else(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (*MADE, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    subprocess.run(["make", "-C", str(tmp_path), "clean"], check=True, capture_output=True)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", *KEPT}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_every_ignored_pattern_is_among_what_clean_is_tried_on(tmp_path):
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    for pattern in ignored:
        (tmp_path / ".gitignore").write_text(f"{pattern}\n", encoding="utf-8")
        found = subprocess.run(["git", "-C", str(tmp_path), "check-ignore", *MADE], capture_output=True, text=True)
        assert found.stdout.strip(), pattern
