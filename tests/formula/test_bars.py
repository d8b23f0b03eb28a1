from __future__ import annotations

import pytest

from mixedsparse.core.structures.kinds import AR1, CS, RR, US, Diag, Toep
from mixedsparse.data.formula.bars import split_formula
from mixedsparse.data.formula.names import text_of, tokenise
from mixedsparse.ground.errors import FormulaError


@pytest.mark.parametrize(
    ("formula", "response", "fixed", "bars"),
    [
        ("y ~ x + (1 | g)", "y", "x", ["(1 | g)"]),
        ("y ~ (1 | g)", "y", "1", ["(1 | g)"]),
        ("y ~ (1|g) + x", "y", "x", ["(1|g)"]),
        ("y ~ 0 + x + (x || g)", "y", "0 + x", ["(x || g)"]),
        ("y ~ (1|g) - 1 + x", "y", "- 1 + x", ["(1|g)"]),
        ("log(y) ~ a * (b + c) + (1 | g) + (0 + x | h)", "log(y)", "a * (b + c)", ["(1 | g)", "(0 + x | h)"]),
        ("y ~ x + (z + (1 | g) + (1 | h))", "y", "x + z", ["(1 | g)", "(1 | h)"]),
        ("y ~ I(a | b) + (I(a | b) | g)", "y", "I(a | b)", ["(I(a | b) | g)"]),
        ("y ~ f(x, '(1 | g)') + (1 | `odd ~ | name`)", "y", "f(x, '(1 | g)')", ["(1 | `odd ~ | name`)"]),
        ("y ~ x + ((1 | g))", "y", "x", ["(1 | g)"]),
    ],
)
def test_bars_are_split_from_the_fixed_part(formula, response, fixed, bars):
    parts = split_formula(formula)
    assert text_of(parts.response) == response
    assert text_of(parts.fixed) == fixed
    assert [bar.text for bar in parts.bars] == bars


def test_double_bar_is_marked():
    single, double = split_formula("y ~ (x | g) + (x || h)").bars
    assert not single.uncorrelated
    assert double.uncorrelated
    assert text_of(double.effects) == "x"
    assert text_of(double.grouping) == "h"


def test_offsets_are_collected():
    parts = split_formula("y ~ offset(log(w)) + x + offset(z) + (1 | g)")
    assert [text_of(o) for o in parts.offsets] == ["log(w)", "z"]
    assert text_of(parts.fixed) == "x"


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ x", r"no random-effects term.*\(1 \| g\).*OLS"),
        ("y ~ x | g", r"outside brackets.*write '\(x \| g\)'"),
        ("y ~ x + 1 || g", r"outside brackets.*write '\(1 \|\| g\)'"),
        ("y ~ x * (1 | g)", "can only be added"),
        ("y ~ x - (1 | g)", "cannot be subtracted"),
        ("y x", "no '~'"),
        ("y ~ x ~ (1 | g)", "2 '~'"),
        ("~ x + (1 | g)", "no response"),
        ("y ~ ", "nothing after '~'"),
        ("y | x ~ (1 | g)", "before '~'"),
        ("y ~ ( | g)", "nothing before its bar"),
        ("y ~ (1 | )", "no grouping factor"),
        ("y ~ (1 | g | h)", "2 bars"),
        ("y ~ x + (1 | g", "never closed.*add '\\)'"),
        ("y ~ x) + (1 | g)", "no partner"),
        ("y ~ (1 | g) +", "a term is missing"),
        ("y ~ `x + (1 | g)", "never closed"),
        ("y ~ 2x + (1 | g)", "starts with a digit"),
        ("y ~ x § z + (1 | g)", "Cannot read '§'"),
        ("y ~ ou(x | g)", "covariance structure.*not supported.*write"),
        ("y ~ cs(x || g)", r"'cs\(x \|\| g\)' has '\|\|'.*write '\|'"),
        ("y ~ x - cs(x | g)", "cannot be subtracted"),
        ("y ~ cs(x | g, hom=2)", "hom=2 in .*write hom=True or False"),
        ("y ~ cs(x | g, True)", r"argument 'True'.*cs\(\) takes hom=True or False"),
        ("y ~ us(x | g, hom=True)", r"us\(\) has no argument 'hom'.*takes nothing"),
        ("y ~ ar1(x | g, hmo=True)", "no argument 'hmo'.*Did you mean 'hom'"),
        ("y ~ homcs(x | g, hom=False)", "one too many.*'homcs' itself says"),
        ("y ~ cs(x | g, hom=True, hom=True)", "one too many.*twice"),
        ("y ~ cs(x | g | h)", "2 bars"),
        ("y ~ rr(x | g, d=0)", "d=0 must be a whole number, at least 1"),
        ("y ~ rr(x | g, d=1.5)", "write d=a whole number"),
        ("y ~ x + gp(x | g)", r"covariance structure 'gp\(x \| g\)' is not supported: write '\(x \| g\)'"),
        ("y ~ x + mm(1 | a, b) + (1 | g)", r"multiple-membership term 'mm\(1 \| a, b\)' is not supported.*write"),
    ],
)
def test_a_formula_that_cannot_be_split_says_what_to_write(formula, message):
    with pytest.raises(FormulaError, match=message):
        split_formula(formula)


@pytest.mark.parametrize(
    ("term", "kind"),
    [
        ("us(1 + x | g)", US()),
        ("diag(x | g)", Diag()),
        ("diag(x | g, hom = TRUE)", Diag(hom=True)),
        ("homdiag(x | g)", Diag(hom=True)),
        ("cs(0 + f | g:h, hom=False)", CS()),
        ("homcs(0 + f | g)", CS(hom=True)),
        ("ar1(0 + f | g)", AR1()),
        ("ar1(0 + f | g, hom=False)", AR1(hom=False)),
        ("hetar1(0 + f | g)", AR1(hom=False)),
        ("toep(0 + f | g)", Toep()),
        ("homtoep(0 + f | g)", Toep(hom=True)),
        ("rr(0 + f | g)", RR(d=2)),
        ("rr(0 + f | g, d = 3)", RR(d=3)),
        ("(x | g)", None),
    ],
)
def test_structures_have_the_defaults_of_lme4_and_glmmtmb(term, kind):
    parts = split_formula(f"y ~ x + {term} + (1 | item)")
    assert [bar.kind for bar in parts.bars] == [kind, None]
    assert parts.bars[0].text == term
    assert text_of(parts.fixed) == "x"


def test_tokens_keep_the_text():
    text = "log(`my col` + 1.5e-3)%in%a.b ** x.2 || 'q(' == 1L"
    assert text_of(tokenise(text)) == text
