"""`help(ms.lmer)` and `help(ms.glmer)` say in place what every argument is."""

from __future__ import annotations

import inspect
import re

import pytest

import mixedsparse as ms


@pytest.mark.parametrize("function", [ms.lmer, ms.glmer], ids=["lmer", "glmer"])
def test_every_argument_is_documented_in_place(function):
    section = inspect.getdoc(function).split("Parameters\n----------\n")[1].split("\n\nReturns")[0]
    entries = dict(re.findall(r"^(\w+) : [^\n]+\n((?:    [^\n]+\n?)+)", section, flags=re.M))
    assert list(entries) == list(inspect.signature(function).parameters)
    assert not [name for name, text in entries.items() if text.strip().startswith("See")]
