"""LaTeX that compiles: everything escaped, rows of one width, braces in pairs."""

from __future__ import annotations

import re

import numpy as np
import pytest

import mixedsparse as ms
from mixedsparse.report.latex import escape, latex_table
from mixedsparse.report.table import Table

NASTY = r"a_b & 50% of #1 $x^2$ {c} \ ~|<>" + '"'


def well_formed(text):
    """Braces pair up, environments nest, and every row of a table has as many cells as its preamble says."""
    bare = re.sub(r"\\[{}&%$#_]", "", text)
    depth = np.cumsum([{"{": 1, "}": -1}.get(char, 0) for char in bare])
    assert depth.min() >= 0
    assert depth[-1] == 0
    assert bare.count("$") % 2 == 0
    stack = []
    for verb, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        if verb == "begin":
            stack.append(name)
        else:
            assert stack.pop() == name
    assert not stack
    for preamble, body in re.findall(r"\\begin\{tabular\}\{([lr]+)\}(.*?)\\end\{tabular\}", bare, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) >= 2
        for row in rows:
            spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert row.count("&") + 1 + spans == len(preamble), row


@pytest.fixture(scope="module")
def nasty():
    rng = np.random.default_rng(5)
    codes = np.repeat(np.arange(20), 10)
    z = rng.normal(size=(200, 3))
    y = (rng.normal(size=(20, 3))[codes] * z).sum(axis=1) + z @ [1.0, -2e-7, 3e9] + rng.normal(size=200)
    names = (NASTY, "[T.x]", "*")
    return ms.LinearMixedModel.from_arrays(
        y, z, [ms.RandomTerm("g_1 & co", codes, z, columns=names)], x_names=names
    ).fit()


def test_a_small_table():
    header = ["Name", "Value", "Corr", ""]
    table = Table.of("", header, [["a_1", "-1.50", "<1e-4", ""], ["[b", "2e-05", "n/a", "1e+10"]])
    assert latex_table(table).splitlines() == [
        r"\begin{tabular}{lrrr}",
        r"\toprule",
        r"Name & Value & \multicolumn{2}{c}{Corr} \\",
        r"\midrule",
        r"a\_1 & $-1.50$ & $<10^{-4}$ &  \\",
        r"{}[b & $2 \times 10^{-5}$ & n/a & $10^{10}$ \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_every_special_character_is_escaped():
    escaped = escape(NASTY)
    left = re.sub(r"\\text\w+\{\}|\\[&%$#_{}]", "", escaped)
    assert not set(left) & set('&%$#_{}~^\\<>|"')


def test_names_and_caption_are_escaped(nasty):
    latex = nasty.to_latex(caption="Effects & such: 5%", label="tab:effects_1")
    well_formed(latex)
    assert r"\caption{Effects \& such: 5\%}" in latex
    assert r"\label{tab:effects_1}" in latex
    assert escape(NASTY) in latex
    assert r"{}[T.x] & " in latex
    assert r"{}* & " in latex
    assert r"g\_1 \& co" in latex


def test_numbers_are_those_of_the_tables(nasty):
    sleep = ms.lmer("Reaction ~ Days + (Days | Subject)", ms.datasets.load("sleepstudy"))
    latex = sleep.to_latex()
    well_formed(latex)
    assert r"Days & 10.467 & 1.546 & 17.0 & 6.771 & $<10^{-4}$ \\" in latex
    assert r"Subject & Intercept & 612.09 & 24.740 &  \\" in latex
    assert r" & Days & 35.072 & 5.9221 & 0.07 \\" in latex
    assert "caption" not in latex
    assert "$-$" not in latex


def test_journal_in_latex(nasty):
    well_formed(nasty.journal().to_latex(caption="100 %"))


def test_models_without_fixed_effects_have_one_table():
    y = ms.datasets.load("Dyestuff")["Yield"].to_numpy()
    model = ms.LinearMixedModel.from_arrays(
        y - y.mean(), np.empty((30, 0)), [ms.RandomTerm("g", np.repeat(np.arange(6), 5), np.ones(30))]
    )
    latex = model.fit().to_latex()
    well_formed(latex)
    assert latex.count(r"\begin{tabular}") == 1
