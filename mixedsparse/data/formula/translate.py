"""Tokens to text that formulaic and Python can evaluate: columns become aliases, R spellings become Python's.

A column called ``C``, ``np`` or ``IQ.ver`` cannot be confused with a function or an attribute once it is ``_ms3``.
Inside a function call the same column is ``_ms3v``: there it keeps its own values, while a bare factor is coded by its
contrasts. ``C(column)`` without further arguments is ``_ms3c``: a bare factor too, whatever the column holds. Labels
get the user's names back at the end (`restore`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mixedsparse.data.formula.names import R_CONSTANTS, R_FUNCTIONS, R_HINTS, Token, namespace, prefixes, text_of
from mixedsparse.ground.errors import FormulaError

__all__ = ["Translator", "aliases_in", "is_coerced", "restore", "shown"]

_ALIAS = re.compile(r"\b_ms\d+[vc]?\b")
_FORBIDDEN = {
    "$": "name the column alone",
    "@": "name the column alone",
    "<-": "write comparisons with spaces, 'x < -1'",
    "->": "remove the arrow",
    "&&": "write '&'",
    ";": "give one formula",
    ".": "'all other columns' is not supported: name the columns",
}
_COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")
_INSIDE = {"^": "**", "%%": "%", "%/%": "//"}


@dataclass
class Translator:
    """Translates the parts of one formula, collecting the columns they use.

    Parameters
    ----------
    formula : str
        The whole formula, for messages.
    columns, outer : collection of str
        Columns of the data, and names of the caller's namespace, that occur in the formula.
    """

    formula: str
    columns: Collection[str]
    outer: Collection[str]
    names: dict[str, str] = field(default_factory=dict)  # alias -> column
    unknown: dict[str, None] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)

    def alias(self, column: str, inside: bool, coerced: bool = False) -> str:
        """Alias of `column`: bare, inside a call, or `coerced` to a factor."""
        kind = "c" if coerced else "v" if inside else ""
        alias = f"_ms{self._numbers.setdefault(column, len(self._numbers))}{kind}"
        self.names[alias] = column
        return alias

    def terms(self, tokens: Sequence[Token]) -> str:
        """Text of a sum of terms, in formulaic's language."""
        return self._translate(tokens, depth=0)

    def expression(self, tokens: Sequence[Token]) -> str:
        """Text of one Python expression."""
        return self._translate(tokens, depth=1)

    def column_of(self, tokens: Sequence[Token]) -> str | None:
        """Alias (of the values themselves) when `tokens` are nothing but one column's name, else None."""
        if len(tokens) == 1 and tokens[0].kind in ("name", "quoted") and tokens[0].name in self.columns:
            return self.alias(tokens[0].name, inside=True)
        return None

    def _translate(self, words: Sequence[Token], depth: int) -> str:
        out: list[str] = []
        inside = [depth > 0]  # one entry per open bracket: does it belong to a call?
        skip = 0
        for i, token in enumerate(words):
            before = words[i - 1] if i else None
            after = words[i + 1].text if i + 1 < len(words) else ""
            if skip:
                skip -= 1
            elif quoted := self._patsy_quote(words[i : i + 4]):
                out.append(self._column(quoted, inside[-1]))
                skip = 3
            elif not inside[-1] and (coerced := self._coerced(words[i : i + 8])):
                out.append(self.alias(coerced[0], inside=False, coerced=True))
                skip = coerced[1]
            elif token.kind == "name" and after == "(":
                out.append(self._function(token.text, before))
            elif token.kind in ("name", "quoted"):
                out.append(self._variable(token, before, after, inside[-1]))
            elif token.kind == "number":
                out.append(token.text.rstrip("L"))
            elif token.kind == "op":
                if token.text in ("(", "[", "{"):
                    called = before is not None and (before.kind in ("name", "quoted") or before.text in (")", "]"))
                    inside.append(inside[-1] or called or token.text == "{")
                elif token.text in (")", "]", "}"):
                    inside.pop()
                out.append(self._operator(token.text, inside[-1]))
            else:
                out.append(token.text)
        return _join(out)

    def _patsy_quote(self, words: Sequence[Token]) -> str | None:
        """Column that ``Q("name")`` at the start of `words` stands for."""
        if [w.text for w in (*words[:2], *words[3:])] == ["Q", "(", ")"] and words[2].kind == "string":
            return words[2].text[1:-1]
        return None

    def _coerced(self, words: Sequence[Token]) -> tuple[str, int] | None:
        """Column of a ``C(column)`` or ``factor(column)`` that `words` begin with, and its number of further tokens."""
        if len(words) < 4 or words[0].kind != "name" or words[0].text in self.outer or words[1].text != "(":
            return None
        if R_FUNCTIONS.get(words[0].text, words[0].text) != "C":
            return None
        quoted = self._patsy_quote(words[2:6])
        name = quoted or (words[2].name if words[2].kind in ("name", "quoted") else None)
        end = 6 if quoted else 3
        closed = len(words) > end and words[end].text == ")"
        after = words[end + 1].text if len(words) > end + 1 else ""
        if name not in self.columns or not closed or after.startswith((".", "[")):
            return None
        return name, end

    def _column(self, name: str, inside: bool) -> str:
        if name not in self.columns:
            self.unknown[name] = None
            return name
        return self.alias(name, inside)

    def _function(self, name: str, before: Token | None) -> str:
        """Name that stands before a bracket: a function, or the method of a column."""
        root = name.split(".", 1)[0]
        if _is_attribute(name, before) or name in self.outer or root in self.outer:
            return name
        if name in R_FUNCTIONS:
            return R_FUNCTIONS[name]
        if root in namespace() or keyword.iskeyword(name) or name in ("int", "float", "str", "len", "list"):
            return name
        for head, rest in prefixes(name):
            if rest and head in self.columns:
                return self._column(head, inside=True) + rest
        hint = R_HINTS.get(name, "define it in Python before the call, or compute the column before fitting")
        raise FormulaError(f"The function {name!r} in {self.formula!r} is not known: {hint}.")

    def _variable(self, token: Token, before: Token | None, after: str, inside: bool) -> str:
        name = token.name
        if inside and token.kind == "name" and keyword.iskeyword(name):
            return name
        if token.kind == "quoted" or name in self.columns:
            keyword_argument = inside and after == "=" and token.kind == "name"
            return name if keyword_argument else self._column(name, inside)
        if not inside:
            return self._column(name, inside)
        if name in R_CONSTANTS:
            return R_CONSTANTS[name]
        root = name.split(".", 1)[0]
        if _is_attribute(name, before) or after == "=":
            return name
        if root in namespace() or root in self.outer:
            return name
        for head, rest in prefixes(name):
            if rest and head in self.columns:
                return self._column(head, inside) + rest
        return self._column(name, inside)

    def _operator(self, text: str, inside: bool) -> str:
        if text in _FORBIDDEN:
            raise FormulaError(f"{text!r} has no meaning in the formula {self.formula!r}: {_FORBIDDEN[text]}.")
        if inside and text in _INSIDE:
            return _INSIDE[text]
        if text in _COMPARISONS and not inside:
            raise FormulaError(f"The comparison {text!r} in {self.formula!r} is no term: write it as in 'I(x > 0)'.")
        if text == "%in%" and not inside:  # Wilkinson and Rogers: a/b is a + b %in% a
            return ":"
        if len(text) > 1 and text.startswith("%"):
            raise FormulaError(
                f"{text!r} is not known inside a function in {self.formula!r}: write 'isin(x, [1, 2])' for membership."
                if text == "%in%"
                else f"The operator {text!r} in {self.formula!r} is not known: compute the column before fitting."
            )
        return text


def _is_attribute(name: str, before: Token | None) -> bool:
    return name.startswith(".") and before is not None and before.text in (")", "]")


def _join(words: Sequence[str]) -> str:
    """Join with single spaces, but never between a name and the bracket of its call."""
    out: list[str] = []
    for word in words:
        glued = bool(out) and word[0] in "([." and (out[-1][-1].isalnum() or out[-1][-1] in "_)]")
        out.append(word if glued or not out else f" {word}")
    return "".join(out)


def restore(text: str, names: Mapping[str, str]) -> str:
    """Put the user's column names, ``names[alias]``, back into `text`."""

    def user_name(match: re.Match[str]) -> str:
        alias = match.group()
        name = names.get(alias, alias)
        return f"C({name})" if is_coerced(alias) and name != alias else name

    return _ALIAS.sub(user_name, text)


def is_coerced(alias: str) -> bool:
    """Whether `alias` stands for ``C(column)``, a factor whatever the column holds."""
    return alias.endswith("c")


def aliases_in(text: str) -> tuple[str, ...]:
    """Aliases that occur in `text`, without repetition."""
    return tuple(dict.fromkeys(_ALIAS.findall(text)))


def shown(tokens: Sequence[Token]) -> str:
    """Text of `tokens` as a label: as typed, single names without their backticks."""
    return tokens[0].name if len(tokens) == 1 else text_of(tokens)
