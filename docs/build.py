"""Build the static pages in docs/_build: contents, READMEs, notebooks, and the reference from the docstrings.

python -m docs.build
"""

from __future__ import annotations

import re
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# Page of the reference -> its name in the contents.
REFERENCE = {
    "mixedsparse": "mixedsparse",
    "mixedsparse.datasets": "mixedsparse.datasets",
    "mixedsparse.api.cov": "mixedsparse.cov",
    "mixedsparse.api.families": "mixedsparse.families",
    "docs.objects": "Objects that methods return",
    "mixedsparse.adapters.maketables": "mixedsparse.adapters.maketables",
    "mixedsparse.adapters.marginaleffects": "mixedsparse.adapters.marginaleffects",
    "mixedsparse.adapters.sklearn": "mixedsparse.sklearn",
    "mixedsparse.adapters.arviz": "mixedsparse.adapters.arviz",
}
# Markdown file, as links in the README name it -> its page.
TEXTS = {
    "README.md": "readme.html",
    "benchmarks/README.md": "benchmarks.html",
    "benchmarks/results/coverage.md": "coverage.html",
    "CONTRIBUTING.md": "contributing.html",
    "docs/benchmarks.md": "speed.html",
    "docs/notation.md": "notation.html",
    "docs/backends.md": "backends.html",
    "docs/threads.md": "threads.html",
    "RELEASING.md": "releasing.html",
    "CHANGELOG.md": "changelog.html",
}
# Optional packages, without which a module cannot be imported; it has no page then.
NEEDS = {
    "mixedsparse.adapters.maketables": "maketables",
    "mixedsparse.adapters.marginaleffects": "marginaleffects",
    "mixedsparse.adapters.sklearn": "sklearn",
}
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ max-width: 58rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif; }}
pre {{ background: #f5f5f5; padding: 0.6rem; overflow-x: auto; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; }}
.anchor-link {{ display: none; }}
th, td {{ border: 1px solid #ddd; padding: 0.2rem 0.6rem; text-align: left; }}
</style></head>
<body>{body}</body>
</html>
"""


def build(target: Path = HERE / "_build") -> Path:
    """Build all pages in `target`, whose old contents are removed. A warning is an error."""
    shutil.rmtree(target, ignore_errors=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Of a dataclass that inherits fields from another module: its annotations are shown as they are written.
        warnings.filterwarnings("ignore", "Error parsing type annotation")
        modules = build_reference(target)
    notebooks = build_notebooks(target / "notebooks")
    for source, page in TEXTS.items():
        markdown = (ROOT / source).read_text(encoding="utf-8").replace("](../", "](")
        write_page(target / page, markdown.splitlines()[0].removeprefix("# "), with_links_to_pages(markdown))
        copy_pictures(markdown, target)
    write_page(target / "index.html", "mixedsparse: contents", contents(notebooks, modules))
    return target


def build_reference(target: Path) -> list[str]:
    """Write the pages of the reference; return the names of the modules."""
    import pdoc

    import mixedsparse

    modules = [name for name in REFERENCE if name not in NEEDS or find_spec(NEEDS[name])]
    pdoc.render.configure(
        docformat="numpy", template_directory=HERE / "templates", footer_text=f"mixedsparse {mixedsparse.__version__}"
    )
    # `mixedsparse` brings along the modules that are public names of it.
    pdoc.pdoc(*(name for name in modules if name != "mixedsparse.datasets"), output_directory=target)
    return modules


def build_notebooks(target: Path) -> dict[str, str]:
    """Write the stored notebooks as pages; return their titles by name."""
    import nbformat
    from nbconvert import HTMLExporter

    target.mkdir(parents=True)
    titles = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        titles[path.stem] = notebook.cells[0].source.splitlines()[0].removeprefix("# ")
        page, _ = HTMLExporter().from_notebook_node(notebook)
        page = re.sub(r'href="(\w+)\.ipynb"', r'href="\1.html"', page)
        (target / f"{path.stem}.html").write_text(mend_bars(page), encoding="utf-8")
    return titles


def with_links_to_pages(markdown: str) -> str:
    """Replace links to notebooks and to other texts by links to their pages."""
    markdown = re.sub(r"\]\((notebooks/\w+)\.ipynb\)", r"](\1.html)", markdown)
    for source, page in TEXTS.items():
        markdown = markdown.replace(f"]({source})", f"]({page})")
    return markdown


def copy_pictures(markdown: str, target: Path) -> None:
    """Copy the pictures that a text shows to where its page looks for them."""
    for address in re.findall(r"!\[[^\]]*\]\((?!http)([^)]+)\)", markdown):
        (target / address).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / address, target / address)


def contents(notebooks: dict[str, str], modules: list[str]) -> str:
    """Compose the page of contents, as Markdown."""
    guides = [f"- [{title}](notebooks/{name}.html)" for name, title in notebooks.items()]
    reference = [f"- [{REFERENCE[name]}]({name.replace('.', '/')}.html)" for name in modules]
    texts = [
        "- [README](readme.html)",
        "- [Benchmarks and limits](speed.html)",
        "- [How the benchmarks are made](benchmarks.html)",
        "- [Coverage and error rates](coverage.html)",
        "- [Notation and glossary](notation.html)",
        "- [Back ends and models](backends.html)",
        "- [Threads and processes](threads.html)",
        "- [Contributing](contributing.html)",
        "- [Releasing](releasing.html)",
        "- [Changelog](changelog.html)",
    ]
    parts = ["# mixedsparse", *texts, "## Notebooks", *guides, "## Reference", *reference]
    return "\n".join(part if part.startswith("-") else f"\n{part}\n" for part in parts)


def write_page(path: Path, title: str, markdown: str) -> None:
    """Write one page of Markdown as HTML."""
    from nbconvert.filters import markdown2html

    body = mend_ids(mend_bars(markdown2html(markdown)))
    path.write_text(PAGE.format(title=title, body=body), encoding="utf-8")


def mend_ids(page: str) -> str:
    """Give headings the ids that GitHub gives them, so that the same ``#heading`` leads there."""

    def mended(found: re.Match[str]) -> str:
        return found[1] + re.sub(r"[^\w-]", "", unquote(found[2]).lower()) + '"'

    return re.sub(r'((?:<h\d id="|class="anchor-link" href="#))([^"]*)"', mended, page)


def mend_bars(page: str) -> str:
    r"""Show ``\|`` of code in tables as a bar, as notebooks do; nbconvert leaves the backslash."""
    return re.sub(r"<code>.*?</code>", lambda found: found.group().replace("\\|", "|"), page)


if __name__ == "__main__":
    print(build() / "index.html")
