"""Build the site in docs/_build: ``python -m docs.build [folder]``. A warning is an error."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
START = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/index.html"><title>mixedsparse</title>
</head>
<body><a href="docs/index.html">mixedsparse</a></body>
</html>
"""


def build(target: Path = HERE / "_build") -> Path:
    """Build all pages in `target`, whose old contents are removed, and return it."""
    from sphinx.cmd.build import build_main

    shutil.rmtree(target, ignore_errors=True)
    options = ["-q", "-W", "--keep-going", "-b", "html", "-c", str(HERE), "-d", str(target / ".doctrees")]
    if build_main([*options, str(ROOT), str(target)]):
        raise SystemExit("The site has mistakes, see above.")
    shutil.rmtree(target / ".doctrees")
    (target / "index.html").write_text(START, encoding="utf-8")
    return target


if __name__ == "__main__":
    print(build(*map(Path, sys.argv[1:])) / "index.html")
