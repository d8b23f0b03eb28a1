"""The site builds without a warning; its pages are whole, lead to each other and back, and need no network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("myst_nb")
pytest.importorskip("pydata_sphinx_theme")

import mixedsparse as ms
from docs.build import ROOT
from notebooks.build import names
from tests.pages import PAGES

pytestmark = pytest.mark.slow
REFERENCE = "docs/reference"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site once, whichever process comes first; the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    log = folder.with_suffix(".log")
    try:
        folder.mkdir()
    except FileExistsError:
        while not log.exists():
            time.sleep(0.2)
    else:
        command = [sys.executable, "-m", "docs.build", str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        partial = log.with_suffix(".partial")
        partial.write_text(done.stderr if done.returncode else "", encoding="utf-8")
        partial.replace(log)
    assert log.read_text(encoding="utf-8") == ""
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Text of every page by its path, without scripts and styles."""
    return {
        path: re.sub(r"<(script|style)\b.*?</\1>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }


def ids(*paths: Path) -> set[str]:
    return {one for path in paths for one in re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8"))}


def links(page: str) -> list[str]:
    return [unquote(unescape(link)) for link in re.findall(r'\b(?:href|src)="(?!\w+:|//)([^"]+)"', page)]


def test_every_public_name_is_in_the_reference(site):
    modules = {"__version__", "cov", "datasets", "families"}
    missing = {f"mixedsparse.{name}" for name in set(ms.__all__) - modules} - ids(*(site / REFERENCE).glob("*.html"))
    assert not missing
    for name in ("cov.AR1", "families.Binomial", "datasets.load", "sklearn.MixedRegressor"):
        assert f"mixedsparse.{name}" in ids(*(site / REFERENCE).glob("*.html"))


@pytest.mark.parametrize(
    "owner", [ms.MixedResults, ms.GeneralizedResults, ms.MixedLMResults, ms.LinearMixedModel], ids=lambda c: c.__name__
)
def test_methods_and_properties_are_in_the_reference_wherever_they_come_from(site, owner):
    public = {f"mixedsparse.{owner.__name__}.{name}" for name in dir(owner) if not name.startswith("_")}
    assert not public - ids(*(site / REFERENCE).glob("*.html"))


def test_objects_that_methods_return_are_in_the_reference(site):
    found = {one.rpartition("objects.")[2] for one in ids(site / REFERENCE / "objects.html")}
    endings = {".".join(one.split(".")[-2:]) for one in found}
    assert {"Profile.conf_int", "Bootstrap.conf_int", "MarginalMeans.contrast", "Plots.caterpillar"} <= endings


def test_every_text_and_notebook_has_a_page(site):
    for page in PAGES:
        assert (site / page.relative_to(ROOT)).with_suffix(".html").exists()
    for name in names():
        assert (site / "notebooks" / f"{name}.html").exists()
    for name in ("CHANGELOG", "CONTRIBUTING", "RELEASING", "benchmarks/README", "benchmarks/results/coverage"):
        assert (site / f"{name}.html").exists()


def test_the_start_leads_to_every_page_and_every_page_back(site, pages):
    start = site / "docs" / "index.html"
    seen, todo = {start}, [start]
    while todo:
        page = todo.pop()
        for link in links(pages[page]):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target in pages and target not in seen:
                seen.add(target)
                todo.append(target)
    assert {path.resolve() for path in pages} - seen <= {(site / "index.html").resolve()}
    for path, page in pages.items():
        leads_back = any((path.parent / link.partition("#")[0]).resolve() == start for link in links(page))
        assert leads_back or path == start, path


def test_links_lead_to_pages_and_headings(pages):
    for path, page in pages.items():
        for link in links(page):
            file, _, anchor = link.partition("?")[0].partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), f"{path.name}: {link}"
            assert not file.endswith((".md", ".rst", ".ipynb", ".py")), f"{path.name}: {link}"
            if anchor and target.suffix == ".html":
                assert anchor in ids(target), f"{path.name}: {link}"


def test_headings_have_the_ids_of_github(site):
    assert "where-new-code-goes" in ids(site / "CONTRIBUTING.html")


def test_pages_load_nothing_from_elsewhere(site):
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert not re.findall(r'<(?:script|img|iframe)\b[^>]*\bsrc="(?:https?:)?//', page), path
        assert not re.findall(r'<link\b[^>]*rel="stylesheet"[^>]*href="(?:https?:)?//', page), path


def test_formulas_are_drawn_by_the_browser(site, pages):
    assert pages[site / "notebooks" / "03_nested_and_crossed.html"].count("<math") > 20
    for path, page in pages.items():
        assert not re.search(r"\\[(\[][^<]*\\(?:sigma|Lambda|top)", page), path


def test_the_search_knows_names_and_words(site):
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "lmer" in index
    assert "satterthwait" in index.lower()
