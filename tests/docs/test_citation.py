"""What a release says of itself in several places is the same."""

from __future__ import annotations

import re
from pathlib import Path

import mixedsparse as ms

ROOT = Path(__file__).resolve().parents[2]


def test_the_citation_has_the_version_and_the_license():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (\S+)$", text, flags=re.MULTILINE)[1] == ms.__version__
    license_line = re.search(
        r'^license = "(\S+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert re.search(r"^license: (\S+)$", text, flags=re.MULTILINE)[1] == license_line[1]


def test_what_the_sdist_takes_along_is_there():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"\[tool\.hatch\.build\.targets\.sdist\]\ninclude = \[(.*?)\]", text, flags=re.DOTALL)[1]
    for name in re.findall(r'"/([^"]+)"', listed):
        assert (ROOT / name).exists(), name
