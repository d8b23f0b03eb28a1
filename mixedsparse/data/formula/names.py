"""Formula text to tokens, and the names that a formula may use besides columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import FunctionType
from typing import Any

import numpy as np

from mixedsparse.ground.errors import FormulaError

__all__ = ["GROUPINGS", "Token", "candidates", "namespace", "text_of", "tokenise"]

# Words of grouping sides, which are no names of the caller.
GROUPINGS = ("roles", "mm", "rel")
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<quoted>`[^`]*`)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?(?!\w))
      | (?P<name>\.?[^\W\d]\w*(?:\.\w+)*)
      | (?P<op>%[^%\s]*%|\|\||\*\*|[=!<>]=|//|->|<-|&&|[-+*/:^|~()\[\]{},=<>.!&@%;$])
    """,
    re.VERBOSE,
)
_CLOSER = {"(": ")", "[": "]", "{": "}"}

# Elementwise functions of NumPy that a formula may use without `np.`.
_ELEMENTWISE = (
    "abs sign sqrt cbrt square exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 "
    "sinh cosh tanh arcsinh arccosh arctanh floor ceil trunc round maximum minimum where clip isin"
)
# R's spelling of functions that formulaic or NumPy have under another name.
R_FUNCTIONS = {
    "factor": "C",
    "as.factor": "C",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "ceiling": "ceil",
    "ifelse": "where",
    "pmax": "maximum",
    "pmin": "minimum",
}
R_CONSTANTS = {"TRUE": "True", "FALSE": "False", "NULL": "None"}
# R functions with no counterpart of the same meaning: what to write instead.
R_HINTS = {
    "ns": "write \"cr(x, df=3, constraints='center')\", formulaic's spelling of the same space of splines",
    "s": "write a spline basis such as 'bs(x, df=5)' or 'cr(x, df=5)'",
    "te": "write products of spline bases such as 'bs(x, df=4):bs(z, df=4)'",
    "relevel": "write 'C(x, contr.treatment(base=\"b\"))'",
    "ordered": "write 'C(x, contr.poly)'",
    "as.ordered": "write 'C(x, contr.poly)'",
    "interaction": "write 'a:b'",
    "cut": "make the column before fitting with pandas.cut",
    "as.numeric": "convert the column before fitting, e.g. data['x'].astype(float)",
    "as.integer": "convert the column before fitting, e.g. data['x'].astype(int)",
    "as.character": "convert the column before fitting, e.g. data['x'].astype(str)",
    "cbind": "a linear mixed model has one response column; counts of successes and failures are for glmer",
    "c": "write a Python list, e.g. [1, 2]",
    "offset": "add it as a summand of its own, '+ offset(x)'",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of a formula; `kind` is quoted, string, number, name or op; `spaced`: a space stands before it."""

    kind: str
    text: str
    spaced: bool = False

    @property
    def name(self) -> str:
        """Name that a name or a backticked token stands for."""
        return self.text[1:-1] if self.kind == "quoted" else self.text


@lru_cache(maxsize=256)
def tokenise(formula: str) -> tuple[Token, ...]:
    """Split `formula` into tokens, with brackets checked.

    Raises
    ------
    FormulaError
        A character, a quotation mark or a bracket has no meaning where it stands.
    """
    tokens, position, spaced = [], 0, False
    while position < len(formula):
        match = _TOKEN.match(formula, position)
        if match is None:
            raise FormulaError(_unreadable(formula, position))
        if match.lastgroup != "space":
            tokens.append(Token(str(match.lastgroup), match.group(), spaced))
        spaced, position = match.lastgroup == "space", match.end()
    _check_brackets(formula, tokens)
    return tuple(tokens)


def _unreadable(formula: str, position: int) -> str:
    """Say why the character of `formula` at `position` cannot be read."""
    char = formula[position]
    if char in "`\"'":
        return f"The quotation mark {char} at {formula[position:]!r} is never closed in {formula!r}: add a second one."
    if char.isdigit():
        return (
            f"{formula[position:].split()[0]!r} in {formula!r} starts with a digit: put a column name such as "
            "`2nd` in backticks, or write a '*' after the number."
        )
    return f"Cannot read {char!r} in the formula {formula!r}: put column names with such characters in backticks."


def _check_brackets(formula: str, tokens: Sequence[Token]) -> None:
    expected: list[str] = []
    for token in tokens:
        if token.kind != "op":
            continue
        if token.text in _CLOSER:
            expected.append(_CLOSER[token.text])
        elif token.text in _CLOSER.values() and (not expected or expected.pop() != token.text):
            raise FormulaError(f"The bracket {token.text!r} has no partner in the formula {formula!r}: remove it.")
    if expected:
        raise FormulaError(f"A bracket is never closed in the formula {formula!r}: add {''.join(expected[::-1])!r}.")


def text_of(tokens: Sequence[Token]) -> str:
    """Join `tokens` as they were typed, outer spaces removed."""
    return "".join(f" {t.text}" if t.spaced else t.text for t in tokens).strip()


def prefixes(name: str) -> Iterator[tuple[str, str]]:
    """Yield ``(head, rest)`` of a dotted name, longest head first: ``a.b`` gives (a.b, '') and (a, .b)."""
    end = len(name)
    while end > 0:
        yield name[:end], name[end:]
        end = name.rfind(".", 0, end)


@lru_cache(maxsize=256)
def candidates(formula: str) -> tuple[str, ...]:
    """Every name in `formula` that may be a column or a name of the caller, without repetition."""
    found: dict[str, None] = {}
    for token in tokenise(formula):
        if token.kind == "quoted":
            found[token.name] = None
        elif token.kind == "name":
            found.update((head, None) for head, _ in prefixes(token.text))
        elif token.kind == "string":  # Q("name") quotes a column
            found[token.text[1:-1]] = None
    return tuple(found)


@cache
def namespace() -> dict[str, Any]:
    """Functions and constants that every formula may use: formulaic's transforms and NumPy's elementwise functions."""
    from formulaic.transforms import TRANSFORMS

    functions = {name: getattr(np, name) for name in _ELEMENTWISE.split()}
    # formulaic 1.2.2 defines exp10(x) as x**10
    return {**TRANSFORMS, **functions, "exp10": lambda x: np.power(10.0, x), "pi": np.pi}


def caller_names(formula: str, columns: Sequence[str], env: Mapping[str, Any]) -> dict[str, Any]:
    """Names of `formula` that only the caller's namespace `env` explains.

    A function written in Python replaces one of ours of the same name (the caller's own ``scale``); anything else
    does not: ``from math import log`` or a variable called ``C`` must not break ``log(x)`` or ``C(x)``.
    """
    known = {*namespace(), *GROUPINGS}
    return {
        name: env[name]
        for name in candidates(formula)
        if name in env and name not in columns and (name not in known or isinstance(env[name], FunctionType))
    }
