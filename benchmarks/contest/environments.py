"""A virtual environment per rival, so that their requirements cannot meet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "python_with"]

ROOT = Path(__file__).parents[1] / ".venvs"


def python_with(name: str, requirements: tuple[str, ...], root: Path = ROOT) -> Path:
    """Return the interpreter of the environment `name`, made and filled on first use.

    Parameters
    ----------
    name : str
        Directory of the environment below `root`.
    requirements : tuple of str
        Pinned requirements for pip. Other requirements than those of the last call make the environment anew.

    Raises
    ------
    subprocess.CalledProcessError
        The environment could not be made, or pip could not install the requirements; `stderr` says why.
    """
    directory = root / name
    interpreter = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = directory / "requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        _run(sys.executable, "-m", "venv", "--clear", directory)
        _run(interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
        stamp.write_text(wanted, encoding="utf-8")  # last: an interrupted installation starts again
    return interpreter


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
