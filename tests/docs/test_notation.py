"""The page of notation names code that is there, and every room of the core."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "notation.md").read_text(encoding="utf-8")
WORDS = set(re.findall(r"\w+", "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "mixedsparse").rglob("*.py"))))


def test_names_in_code_are_those_of_the_code():
    named = {word for code in re.findall(r"`([^`]+)`", PAGE) for word in re.findall(r"[A-Za-z_]\w*", code)}
    files = {path.stem for path in (ROOT / "mixedsparse").rglob("*")}
    assert sorted(named - WORDS - files) == []


def test_rooms_of_the_core_are_there():
    rooms = {path.name for path in (ROOT / "mixedsparse" / "core").iterdir() if (path / "__init__.py").exists()}
    assert {"structures", "problem", "likelihood", "engines", "newton", "fitting"} <= rooms
    assert sorted(room for room in rooms if f"`{room}`" not in PAGE) == []
