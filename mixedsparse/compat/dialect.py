"""patsy's names and order of columns, for a fixed part that formulaic lays out.

patsy names a factor as it was typed (``Q("my x")``), numbers the columns of a basis from 0, puts terms with the same
numeric factors together, those without any first, and orders each set by degree; formulaic orders all terms by degree.
Source: patsy's manual, "How formulas work".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mixedsparse.compat.structure import FixedColumns
from mixedsparse.compat.terms import Leaf, expanded, leaves_of
from mixedsparse.data.formula.bars import split_formula
from mixedsparse.data.formula.names import Token, tokenise
from mixedsparse.data.formula.translate import Translator, restore

if TYPE_CHECKING:
    from mixedsparse.data.formula.encoders import Encoder
    from mixedsparse.data.formula.parse import ParsedFormula

__all__ = ["patsy_columns", "spelled", "with_identity"]

# Bases of splines, whose columns formulaic numbers from 1.
_BASES = re.compile(r"(?:bs|cr|cs|cc)\(")
# Operators of Python that patsy leaves to Python, and formulaic does not.
_OF_PYTHON = {"<", ">", "<=", ">=", "==", "!=", "%", "//", "&"}


def with_identity(formula: str) -> str:
    """Write `formula` with what Python has to evaluate, ``x > 0``, in ``I(...)``."""
    out: list[str] = []
    end = 0
    tokens = tokenise(formula)
    for leaf in leaves_of(tokens):
        if any(t.kind == "op" and t.text in _OF_PYTHON for t in leaf.outer):
            out += [_joined(tokens[end : leaf.start]), f" I({_joined(tokens[leaf.start : leaf.stop]).strip()})"]
            end = leaf.stop
    return "".join([*out, _joined(tokens[end:])]) if out else formula


def spelled(tokens: Sequence[Token]) -> str:
    """Return `tokens` with patsy's spaces: those of Python's own style, strings and numbers as typed."""
    kept: list[str] = []

    def word(token: Token) -> str:
        if token.kind not in ("string", "number"):
            return f" {token.name}" if token.spaced else token.name
        kept.append(token.text)
        return f" _kept{len(kept) - 1}_"

    text = "".join(map(word, tokens)).strip()
    return re.sub(r"_kept(\d+)_", lambda match: kept[int(match.group(1))], _key(text))


def patsy_columns(encoder: Encoder, parsed: ParsedFormula, typed: str) -> FixedColumns:
    """Arrange the columns of the fixed part.

    Parameters
    ----------
    encoder : Encoder
        Of the fixed part.
    parsed : ParsedFormula
        Formula that the design was made of.
    typed : str
        Formula as the user typed it.
    """
    translator = Translator(parsed.formula, frozenset(parsed.columns), frozenset(parsed.outer))
    # In the order of `parse`, so that columns have the same aliases.
    parts = split_formula(parsed.formula)
    if translator.column_of(parts.response) is None:
        translator.expression(parts.response)
    translator.terms(parts.fixed)
    fixed = split_formula(f"{typed.strip()} + (1 | _)").fixed

    def key_of(leaf: Leaf) -> str:
        tokens = leaf.tokens
        python = any(t.kind == "op" and t.text in _OF_PYTHON for t in leaf.outer)
        return _key(translator.terms(tokenise(f"I({_joined(tokens).strip()})") if python else tokens))

    labels = {key_of(leaf): spelled(leaf.tokens) for leaf in leaves_of(fixed)}
    order = {frozenset(term): i for i, term in reversed(list(enumerate(expanded(fixed, key_of))))}
    terms = list(encoder.side.formula)
    factors = [[f.expr for f in term.factors if f.eval_method.value != "literal"] for term in terms]
    places = [order.get(frozenset(map(_key, one)), len(order)) for one in factors]
    kinds = [frozenset(f for f in one if not encoder.is_factor(f)) for one in factors]
    first = {kind: min(p for p, k in zip(places, kinds, strict=True) if k == kind) for kind in kinds}
    first[frozenset()] = -1
    spans = list(encoder.terms.values())
    sequence = sorted(range(len(terms)), key=lambda i: (first[kinds[i]], len(factors[i]), places[i]))
    columns, names, owners = [], [], {}
    for i in sequence:
        shown = [(restore(f, parsed.names), labels.get(_key(f), restore(f, parsed.names))) for f in factors[i]]
        start = len(columns)
        columns += range(spans[i].start, spans[i].stop)
        names += [_renamed(name, shown) for name in encoder.names[spans[i]]]
        owners[":".join(label for _, label in shown) or "Intercept"] = np.arange(start, len(columns))
    return FixedColumns(np.array(columns, dtype=np.intp), tuple(names), owners)


def _joined(tokens: Sequence[Token]) -> str:
    return "".join(f" {t.text}" if t.spaced else t.text for t in tokens)


def _key(code: str) -> str:
    """Return code in a spelling of its own, so that equal factors have equal keys."""
    try:
        return ast.unparse(ast.parse(code.strip(), mode="eval"))
    except SyntaxError:
        return code


def _renamed(name: str, factors: Sequence[tuple[str, str]]) -> str:
    """Name of one column: each factor as typed, bases numbered from 0."""
    match = re.fullmatch(":".join(re.escape(expr) + "(.*)" for expr, _ in factors), name)
    if match is None or not factors:
        return name
    return ":".join(label + _from_zero(label, rest) for (_, label), rest in zip(factors, match.groups(), strict=True))


def _from_zero(label: str, rest: str) -> str:
    number = re.fullmatch(r"\[(\d+)\]", rest)
    return f"[{int(number.group(1)) - 1}]" if number and _BASES.match(label) else rest
