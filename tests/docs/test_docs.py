"""The static pages build without a warning, and the reference has every public name."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

import pytest

pytest.importorskip("pdoc")
pytest.importorskip("nbconvert")

import mixedsparse as ms
from docs.build import REFERENCE, TEXTS, build, copy_pictures, mend_ids
from notebooks.build import names


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return build(tmp_path_factory.mktemp("docs") / "pages")


def ids(page):
    return set(re.findall(r'id="([\w.]+)"', page.read_text(encoding="utf-8")))


def test_every_public_name_is_in_the_reference(pages):
    missing = set(ms.__all__) - {"__version__", "cov", "datasets", "families"} - ids(pages / "mixedsparse.html")
    assert not missing


@pytest.mark.parametrize(
    "owner", [ms.MixedResults, ms.GeneralizedResults, ms.MixedLMResults, ms.LinearMixedModel], ids=lambda c: c.__name__
)
def test_methods_and_properties_are_in_the_reference_wherever_they_come_from(pages, owner):
    public = {f"{owner.__name__}.{name}" for name in dir(owner) if not name.startswith("_")}
    assert not public - ids(pages / "mixedsparse.html")


def test_objects_that_methods_return_are_in_the_reference(pages):
    assert {"Profile.conf_int", "Bootstrap.conf_int", "MarginalMeans.contrast", "Plots.caterpillar"} <= ids(
        pages / "docs" / "objects.html"
    )


def test_contents_lead_to_every_page(pages):
    links = set(re.findall(r'href="([\w./]+)"', (pages / "index.html").read_text(encoding="utf-8")))
    assert {*TEXTS.values(), *(f"notebooks/{name}.html" for name in names())} <= links
    assert {"mixedsparse.html", "mixedsparse/datasets.html", "docs/objects.html"} <= links
    assert len(links & {f"{name.replace('.', '/')}.html" for name in REFERENCE}) >= 3
    for link in links:
        assert (pages / link).exists(), link


def test_links_lead_to_pages_and_headings(pages):
    texts = [pages / name for name in ("index.html", *TEXTS.values())]
    for page in [*texts, *(pages / "notebooks").glob("*.html")]:
        html = page.read_text(encoding="utf-8")
        body = re.sub(r"<(script|style)\b.*?</\1>", "", html, flags=re.DOTALL)
        for link in re.findall(r'\b(?:href|src)="(?!\w+:)([^"]+)"', body):
            file, _, anchor = unquote(unescape(link)).partition("#")
            target = page.parent / file if file else page
            assert target.exists(), f"{page.name}: {link}"
            assert not file.endswith((".md", ".ipynb")), f"{page.name}: {link}"
            anchors = re.findall(r'\bid="([^"]+)"', target.read_text(encoding="utf-8")) if anchor else []
            assert not anchor or anchor in {unquote(unescape(one)) for one in anchors}, f"{page.name}: {link}"


def test_headings_have_the_ids_of_github():
    heading = '<h2 id="{0}">A first, `model`<a class="anchor-link" href="#{0}">'
    assert mend_ids(heading.format("A-first,-%60model%60")) == heading.format("a-first-model")


def test_pictures_are_where_the_page_looks_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr("docs.build.ROOT", tmp_path / "from")
    (tmp_path / "from" / "results").mkdir(parents=True)
    (tmp_path / "from" / "results" / "size.svg").write_text("<svg/>", encoding="utf-8")
    copy_pictures("![Size: s](results/size.svg) [text](other.md)", tmp_path / "to")
    assert (tmp_path / "to" / "results" / "size.svg").read_text(encoding="utf-8") == "<svg/>"
