"""Pages of the site: their code runs, prints and says what they show, names what there is, and leads somewhere."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pandas as pd
import pytest

import mixedsparse as ms
from tests.pages import PAGES, ROOT, as_shown, blocks, run_blocks, shown_output

MESSAGES = ROOT / "docs" / "messages.md"
LARGE = ROOT / "docs" / "howto" / "large.md"
WITH_CODE = [page for page in PAGES if page != MESSAGES and blocks(page, "python")]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_code_runs_and_prints_what_is_shown(page):
    printed = run_blocks(page)
    assert shown_output(page) in (None, as_shown(printed))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::(distributed|tornado|asyncio)")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_code_for_a_cluster_runs():
    pytest.importorskip("distributed")
    (code,) = blocks(LARGE, "python cluster")
    namespace: dict[str, Any] = {"ms": ms}
    exec(compile(code, "block for a cluster", "exec"), namespace)
    alone = namespace["slopes"].bootstrap(200, seed=1)
    pd.testing.assert_frame_equal(namespace["replicates"].table, alone.table)


def messages() -> list[tuple[str, str]]:
    """Phrase of a heading, and the code under it."""
    return re.findall(r'^### "([^\n]+)"\n\n```python\n(.*?)^```$', MESSAGES.read_text(encoding="utf-8"), re.M | re.S)


def test_every_heading_of_messages_has_code():
    assert len(messages()) == MESSAGES.read_text(encoding="utf-8").count("\n### ") >= 20


@pytest.mark.slow
@pytest.mark.parametrize(("phrase", "code"), messages(), ids=[phrase for phrase, _ in messages()])
def test_messages_are_those_of_the_package(phrase, code):
    namespace: dict[str, Any] = {}
    exec(blocks(MESSAGES, "python")[0], namespace)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(code, namespace)
        except ms.MixedSparseError as err:
            said = [str(err)]
        else:
            said = [str(one.message) for one in caught if issubclass(one.category, ms.MixedSparseWarning)]
    assert any(phrase in text for text in said), said


@every_page
def test_calls_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\bms\.(\w+)", text):
        assert hasattr(ms, name), f"ms.{name}"
    for name in re.findall(r"\b(?:fit|slopes)\.([a-z_]\w*)", text, re.IGNORECASE):
        assert any(hasattr(owner, name) for owner in (ms.MixedResults, ms.GeneralizedResults)), name


@every_page
def test_links_between_files_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (page.parent / target).exists(), target
