"""Every code block and command of the README is executed; the output that it shows is the output there is."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.pages import README, as_shown, run_blocks, shown_output

LINES = 100  # two screens


@pytest.mark.slow
def test_python_blocks_run_and_print_what_is_shown():
    assert as_shown(run_blocks(README)) == shown_output(README)


def test_is_two_screens_long():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= LINES


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
    for path in re.findall(r"\]\((?!http|#)([^)#]+)", README.read_text(encoding="utf-8")):
        assert (README.parent / path).exists(), path
