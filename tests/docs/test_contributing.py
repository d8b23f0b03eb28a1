"""CONTRIBUTING.md names rooms and files that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NAMED = sorted({name for name in re.findall(r"`([\w./]+)`", TEXT) if "/" in name or name.endswith((".py", ".md"))})
MADE = {"tests/golden/v50_my_case.json", "docs/_build"}  # by the commands of the text


@pytest.mark.parametrize("name", [name for name in NAMED if name not in MADE])
def test_what_is_named_is_there(name):
    assert (ROOT / name).exists() or (ROOT / "mixedsparse" / name).exists() or name == "catalogue.json"


def test_every_room_has_a_row():
    rooms = {path.name for path in (ROOT / "mixedsparse").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms <= set(re.findall(r"`(\w+)`", TEXT))


def test_every_room_of_core_is_named():
    rooms = {path.name for path in (ROOT / "mixedsparse" / "core").iterdir() if path.is_dir()} - {"__pycache__"}
    assert rooms <= set(re.findall(r"`(\w+)`", TEXT))
