"""The static pages build without a warning, and the reference has every public name."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("pdoc")
pytest.importorskip("nbconvert")

import mixedsparse as ms
from docs.build import REFERENCE, build
from notebooks.build import names


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return build(tmp_path_factory.mktemp("docs") / "pages")


def ids(page):
    return set(re.findall(r'id="([\w.]+)"', page.read_text(encoding="utf-8")))


def test_every_public_name_is_in_the_reference(pages):
    missing = set(ms.__all__) - {"__version__", "datasets"} - ids(pages / "mixedsparse.html")
    assert not missing


@pytest.mark.parametrize("owner", [ms.MixedResults, ms.MixedLMResults, ms.LinearMixedModel], ids=lambda c: c.__name__)
def test_methods_and_properties_are_in_the_reference_wherever_they_come_from(pages, owner):
    public = {f"{owner.__name__}.{name}" for name in dir(owner) if not name.startswith("_")}
    assert not public - ids(pages / "mixedsparse.html")


def test_objects_that_methods_return_are_in_the_reference(pages):
    assert {"Profile.conf_int", "Bootstrap.conf_int", "MarginalMeans.contrast", "Plots.caterpillar"} <= ids(
        pages / "docs" / "objects.html"
    )


def test_contents_lead_to_every_page(pages):
    links = set(re.findall(r'href="([\w./]+)"', (pages / "index.html").read_text(encoding="utf-8")))
    assert {"readme.html", *(f"notebooks/{name}.html" for name in names())} <= links
    assert {"mixedsparse.html", "mixedsparse/datasets.html", "docs/objects.html"} <= links
    assert len(links & {f"{name.replace('.', '/')}.html" for name in REFERENCE}) >= 3
    for link in links:
        assert (pages / link).exists(), link


def test_links_between_notebooks_and_readme_are_pages(pages):
    for page in [pages / "readme.html", *(pages / "notebooks").glob("*.html")]:
        for link in re.findall(r'href="([\w./]+\.(?:html|ipynb))"', page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
