"""Code in Markdown pages: found, run as a reader would, and its output compared with what is shown.

``python -m tests.pages`` writes the output into the pages anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mixedsparse.ground.errors import MixedSparseWarning

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
# Pages of the site that are written by hand, but the one whose code is to end in messages.
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts)
OUTPUT = re.compile(r"(<!-- output: begin -->\n)(.*?)(<!-- output: end -->)", re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """Blocks of code of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@contextlib.contextmanager
def empty_folder() -> Iterator[None]:
    """Work in a folder of one's own."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def run_blocks(page: Path) -> str:
    """Run the Python blocks in one namespace and an empty folder, and return what they print."""
    printed = io.StringIO()
    namespace: dict[str, Any] = {}
    with empty_folder(), contextlib.redirect_stdout(printed), warnings.catch_warnings():
        # What a reader would be told, of singular and refitted models, is not an error here.
        warnings.simplefilter("ignore", MixedSparseWarning)
        for number, code in enumerate(blocks(page, "python"), start=1):
            exec(compile(code, f"{page.name} block {number}", "exec"), namespace)
    return printed.getvalue()


def shown_output(page: Path) -> str | None:
    """Return the output that a page shows; None if it has no place for any."""
    found = OUTPUT.search(page.read_text(encoding="utf-8"))
    return found and found[2]


def as_shown(printed: str) -> str:
    """Return output as a page shows it."""
    return f"```text\n{printed}```\n"


def main() -> None:
    """Write the output into the pages that show any."""
    for page in [README, *PAGES]:
        if shown_output(page) is not None:
            output = as_shown(run_blocks(page))
            text = page.read_text(encoding="utf-8")
            page.write_text(OUTPUT.sub(lambda found, new=output: found[1] + new + found[3], text), encoding="utf-8")


if __name__ == "__main__":
    main()
