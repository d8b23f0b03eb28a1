"""The examples in the docstrings run and print what they say.

Not by pytest's --doctest-modules: there, ignoring the modules of an optional dependency also ignores test files that
cannot be imported. Docstrings are read from the source, because doctest does not look into cached properties.
"""

from __future__ import annotations

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent / "mixedsparse"
NEEDS = {
    "mixedsparse.core.engines.cholmod.cholmod": "sksparse.cholmod",
    "mixedsparse.adapters.marginaleffects": "marginaleffects",
    "mixedsparse.adapters.sklearn": "sklearn",
}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def docstrings() -> Iterator[tuple[str, str, str]]:
    """Module, name and text of every docstring with an example."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if ">>>" in text:
                    yield module_name(path), getattr(node, "name", "module"), text


FOUND = list(docstrings())


@pytest.mark.parametrize(("module", "name", "text"), FOUND, ids=[f"{module}:{name}" for module, name, _ in FOUND])
def test_example(module, name, text):
    if module in NEEDS:
        pytest.importorskip(NEEDS[module])
    names = vars(importlib.import_module(module)).copy()
    example = doctest.DocTestParser().get_doctest(text, names, name, module, 0)
    report: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False, optionflags=FLAGS).run(example, out=report.append)
    assert outcome.failed == 0, "".join(report)
